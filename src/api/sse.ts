import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Response } from 'express';

/** One server-sent event. `data` is sent as one line of JSON. */
export interface ServerSentEvent {
  id?: string;
  event?: string;
  data: unknown;
}

/** The event as it is sent. */
export function encodeSse({ id, event, data }: ServerSentEvent): string {
  const head = `${id === undefined ? '' : `id: ${id}\n`}${event === undefined ? '' : `event: ${event}\n`}`;
  return `${head}data: ${JSON.stringify(data)}\n\n`;
}

/**
 * Sends the headers of a stream.
 * @param heartbeatMs time between two comments in a silent stream
 * @returns undefined for HEAD, whose answer ends with the headers
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

/** A `text/event-stream` answer, with a comment from time to time while there is nothing to send. */
export class SseStream {
  readonly #heartbeat: NodeJS.Timeout;

  /** @param res its headers have been sent */
  constructor(
    private readonly res: Response,
    heartbeatMs: number,
  ) {
    this.#heartbeat = setInterval(() => {
      if (this.#isOpen() && !res.writableNeedDrain) res.write(': heartbeat\n\n');
    }, heartbeatMs);
    res.once('close', () => {
      clearInterval(this.#heartbeat);
    });
  }

  /** Tells a reader where to resume if it loses its connection before the first event. */
  position(id: string): void {
    if (this.#isOpen()) this.res.write(`id: ${id}\n\n`);
  }

  /**
   * Resolves once the reader has room for more, or is gone. Never in the same turn of the event loop, because a reader that
   * takes everything at once would keep all others waiting (64 MB of output: 0.9 s).
   */
  send(event: ServerSentEvent): Promise<void> {
    return this.sendEncoded(encodeSse(event));
  }

  /** As {@link send}, for any number of encoded events; sends nothing for none. */
  async sendEncoded(events: string | Buffer): Promise<void> {
    if (events.length === 0 || !this.#isOpen()) return;
    if (!this.res.write(events)) await this.#room();
    await nextTurn();
  }

  /** False once the answer or its connection has ended: writing would have no effect. */
  #isOpen(): boolean {
    return !this.res.writableEnded && !this.res.destroyed;
  }

  #room(): Promise<void> {
    return new Promise<void>((resolve) => {
      const settle = (): void => {
        this.res.off('drain', settle);
        this.res.off('close', settle);
        resolve();
      };
      this.res.on('drain', settle);
      this.res.on('close', settle);
    });
  }

  /** Ends the answer; the client may connect again. */
  end(): void {
    clearInterval(this.#heartbeat);
    this.res.end();
  }
}
