import { setTimeout as delay } from 'node:timers/promises';
import type { Service } from '../runtime/service.js';
import { MAX_WAIT_MS } from './query.js';
import { encodeSse } from './sse.js';

/** How many events are read at once, at most. */
const PAGE_EVENTS = 1_000;

/**
 * After a page that was not full the next one is read no sooner than this, in milliseconds: otherwise each of many commits
 * would be a write to every reader. The first event after a silence is passed on at once.
 */
const PACE_MS = 10;

/** How many pages, and how many bytes of them, are kept for readers that come a little later. */
const KEPT_PAGES = 16;
const KEPT_BYTES = 4_194_304;

/** The events after one seq, encoded as they are sent. */
export interface EventPage {
  text: Buffer;
  /** The seq of the last event; if none came in time, the one it was asked for. */
  lastSeq: number;
}

interface Reader {
  resolve: (page: EventPage) => void;
  reject: (error: Error) => void;
}

interface Reading {
  /** Undefined while it is being read. */
  page: EventPage | undefined;
  /** The readers that wait for it; one that has gone is removed. */
  readers: Set<Reader>;
  /** 0 while it is being read. */
  bytes: number;
  abort: () => void;
}

/**
 * The events of all tasks for any number of readers: the events after a seq are awaited, read and encoded once for all of
 * them.
 */
export class EventFeed {
  readonly #readings = new Map<number, Reading>();
  #pacedUntil = 0;

  constructor(private readonly service: Pick<Service, 'events' | 'lastSeq'>) {}

  /**
   * The events with `seq > afterSeq`; waits up to a minute for the first one.
   * @param signal aborts when the reader has gone; when all have, reading ends
   * @throws errors of reading
   */
  after(afterSeq: number, signal: AbortSignal): Promise<EventPage> {
    const reading = this.#readings.get(afterSeq) ?? this.#read(afterSeq);
    if (reading.page !== undefined) return Promise.resolve(reading.page);
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        reading.readers.delete(reader);
        reject(signal.reason as Error);
        if (reading.readers.size === 0) reading.abort();
      };
      const stay = (): void => {
        signal.removeEventListener('abort', leave);
      };
      const reader: Reader = {
        resolve: (page) => {
          stay();
          resolve(page);
        },
        reject: (error) => {
          stay();
          reject(error);
        },
      };
      reading.readers.add(reader);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  #read(afterSeq: number): Reading {
    const controller = new AbortController();
    const drop = (): void => {
      if (this.#readings.get(afterSeq) === reading) this.#readings.delete(afterSeq);
    };
    const reading: Reading = {
      page: undefined,
      readers: new Set(),
      bytes: 0,
      abort: () => {
        drop();
        controller.abort();
      },
    };
    this.#readings.set(afterSeq, reading);
    this.#page(afterSeq, controller.signal).then(
      (page) => {
        reading.page = page;
        reading.bytes = page.text.length;
        if (page.text.length === 0) drop();
        else this.#forgetOldest();
        for (const reader of reading.readers) reader.resolve(page);
        reading.readers.clear();
      },
      (error: unknown) => {
        drop();
        for (const reader of reading.readers) reader.reject(error as Error);
        reading.readers.clear();
      },
    );
    return reading;
  }

  async #page(afterSeq: number, signal: AbortSignal): Promise<EventPage> {
    const pause = this.#pacedUntil - performance.now();
    if (pause > 0 && this.service.lastSeq() - afterSeq < PAGE_EVENTS)
      await delay(pause, undefined, { signal });
    const events = await this.service.events(afterSeq, PAGE_EVENTS, MAX_WAIT_MS, signal);
    if (events.length < PAGE_EVENTS) this.#pacedUntil = performance.now() + PACE_MS;
    return {
      text: Buffer.from(events.map((event) => encodeSse({ id: String(event.seq), data: event })).join('')),
      lastSeq: events.at(-1)?.seq ?? afterSeq,
    };
  }

  #forgetOldest(): void {
    const kept = [...this.#readings].filter(([, reading]) => reading.bytes > 0);
    let bytes = kept.reduce((sum, [, reading]) => sum + reading.bytes, 0);
    let pages = kept.length;
    for (const [seq, reading] of kept) {
      if (pages <= KEPT_PAGES && bytes <= KEPT_BYTES) return;
      this.#readings.delete(seq);
      pages--;
      bytes -= reading.bytes;
    }
  }
}
