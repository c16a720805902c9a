import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Response } from 'express';

/** One server-sent event. `data` is sent as one line of JSON. */
export interface ServerSentEvent {
  id?: string;
  event?: string;
  data: unknown;
}

/** As it goes over the wire. */
export function encodeSse({ id, event, data }: ServerSentEvent): string {
  const head = `${id === undefined ? '' : `id: ${id}\n`}${event === undefined ? '' : `event: ${event}\n`}`;
  return `${head}data: ${JSON.stringify(data)}\n\n`;
}

/**
 * Sends the headers of an answer that goes on.
 * @param heartbeatMs from one comment to the next in a silent stream
 * @returns undefined for HEAD, which asks for these headers only: its answer has ended
 */
export function openSse(res: Response, heartbeatMs: number): SseStream | undefined {
  res.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    // A proxy that collects an answer before it passes it on would hold events back.
    'x-accel-buffering': 'no',
  });
  res.flushHeaders();
  if (res.req.method !== 'HEAD') return new SseStream(res, heartbeatMs);
  res.end();
  return undefined;
}

/** An answer that goes on: `text/event-stream`, with a comment now and then while there is nothing to say. */
export class SseStream {
  readonly #res: Response;
  readonly #heartbeat: NodeJS.Timeout;

  /** @param res its headers have been sent */
  constructor(res: Response, heartbeatMs: number) {
    this.#res = res;
    this.#heartbeat = setInterval(() => {
      if (this.#isOpen() && !res.writableNeedDrain) res.write(': heartbeat\n\n');
    }, heartbeatMs);
    res.once('close', () => {
      clearInterval(this.#heartbeat);
    });
  }

  /** Tells where a reader resumes that loses its connection before the first event. */
  position(id: string): void {
    if (this.#isOpen()) this.#res.write(`id: ${id}\n\n`);
  }

  /**
   * Resolves once the reader has room for more, or is gone; not in this turn of the event loop, because a reader that takes
   * everything at once would keep all others waiting (64 MB of output: 0.9 s).
   */
  send(event: ServerSentEvent): Promise<void> {
    return this.sendEncoded(encodeSse(event));
  }

  /** As {@link send}, for any number of events; nothing for none. */
  async sendEncoded(events: string | Buffer): Promise<void> {
    if (events.length === 0 || !this.#isOpen()) return;
    if (!this.#res.write(events)) await this.#room();
    await nextTurn();
  }

  /** False once the answer has ended or its connection has: what is written then goes nowhere. */
  #isOpen(): boolean {
    return !this.#res.writableEnded && !this.#res.destroyed;
  }

  #room(): Promise<void> {
    return new Promise<void>((resolve) => {
      const settle = (): void => {
        this.#res.off('drain', settle);
        this.#res.off('close', settle);
        resolve();
      };
      this.#res.on('drain', settle);
      this.#res.on('close', settle);
    });
  }

  /** Ends the answer; the client may come back for more. */
  end(): void {
    clearInterval(this.#heartbeat);
    this.#res.end();
  }
}
