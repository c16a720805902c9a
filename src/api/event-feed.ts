import { setTimeout as delay } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { Service } from '../runtime/service.js';
import type { EventFilter } from '../task/events.js';
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

/** A page that is being read. */
interface Reading {
  /** Those who wait for it; one that has gone is removed. */
  readers: Set<Reader>;
  abort: () => void;
}

/**
 * The events of all tasks, or of some, for any number of readers: the events after a seq are awaited, read and encoded once for
 * all who want the same.
 */
export class EventFeed {
  /** By what their readers want: see {@link keyOf}. */
  readonly #readings = new Map<string, Reading>();
  readonly #pages = new LRUCache<string, EventPage>({
    max: KEPT_PAGES,
    maxSize: KEPT_BYTES,
    sizeCalculation: ({ text }) => text.length,
  });
  #pacedUntil = 0;

  constructor(private readonly service: Pick<Service, 'events' | 'eventsWhere' | 'lastSeq'>) {}

  /**
   * The events with `seq > afterSeq`, those that pass; waits up to a minute for the first one.
   * @param signal aborts when the reader has gone; when all have, reading ends
   * @throws errors of reading
   */
  after(afterSeq: number, signal: AbortSignal, filter?: EventFilter): Promise<EventPage> {
    const key = keyOf(afterSeq, filter);
    const kept = this.#pages.get(key);
    if (kept !== undefined) return Promise.resolve(kept);
    const reading = this.#readings.get(key) ?? this.#read(key, afterSeq, filter);
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

  #read(key: string, afterSeq: number, filter: EventFilter | undefined): Reading {
    const controller = new AbortController();
    const drop = (): void => {
      if (this.#readings.get(key) === reading) this.#readings.delete(key);
    };
    const reading: Reading = {
      readers: new Set(),
      abort: () => {
        drop();
        controller.abort();
      },
    };
    this.#readings.set(key, reading);
    this.#page(afterSeq, filter, controller.signal)
      .finally(drop)
      .then(
        (page) => {
          if (page.text.length > 0) this.#pages.set(key, page);
          for (const reader of reading.readers) reader.resolve(page);
        },
        (error: unknown) => {
          for (const reader of reading.readers) reader.reject(error as Error);
        },
      );
    return reading;
  }

  async #page(afterSeq: number, filter: EventFilter | undefined, signal: AbortSignal): Promise<EventPage> {
    const pause = this.#pacedUntil - performance.now();
    if (pause > 0 && this.service.lastSeq() - afterSeq < PAGE_EVENTS)
      await delay(pause, undefined, { signal });
    const { events, last_seq } =
      filter === undefined
        ? {
            events: await this.service.events(afterSeq, PAGE_EVENTS, MAX_WAIT_MS, signal),
            last_seq: undefined,
          }
        : await this.service.eventsWhere(filter, afterSeq, PAGE_EVENTS, MAX_WAIT_MS, signal);
    if (events.length < PAGE_EVENTS) this.#pacedUntil = performance.now() + PACE_MS;
    return {
      text: Buffer.from(events.map((event) => encodeSse({ id: String(event.seq), data: event })).join('')),
      lastSeq: last_seq ?? events.at(-1)?.seq ?? afterSeq,
    };
  }
}

const keyOf = (afterSeq: number, filter: EventFilter | undefined): string =>
  filter === undefined ? String(afterSeq) : `${afterSeq} ${JSON.stringify(filter)}`;
