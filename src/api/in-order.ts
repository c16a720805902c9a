import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** Most requests of one connection that may be unanswered; a client that sends more before it reads is cut off. */
const UNANSWERED_MAX = 100;

type Handle = (req: IncomingMessage, res: ServerResponse) => void;

/**
 * Has the requests of one connection handled one after another. So each has its connection while it is handled, and
 * whatever it holds ends with that: one that waits behind another holds nothing but its head.
 */
export class InOrder {
  readonly #handle: Handle;
  readonly #unanswered = new WeakMap<Duplex, [IncomingMessage, ServerResponse][]>();

  constructor(handle: Handle) {
    this.#handle = handle;
  }

  /** The requests of the connection that have not been answered in full, and whether an answer has begun. */
  unanswered(socket: Duplex): { count: number; begun: boolean } {
    const queue = this.#unanswered.get(socket) ?? [];
    return { count: queue.length, begun: queue[0]?.[1].headersSent === true };
  }

  /** Handles a request now, or once those before it have been answered. */
  take(req: IncomingMessage, res: ServerResponse): void {
    // Whoever writes to an answer sees that it has closed; without a listener the error would end the daemon as well.
    req.on('error', () => undefined);
    res.on('error', () => undefined);
    const queue = this.#unanswered.get(req.socket) ?? [];
    this.#unanswered.set(req.socket, queue);
    queue.push([req, res]);
    if (queue.length > UNANSWERED_MAX) req.socket.destroy();
    else if (queue.length === 1) this.#begin(queue);
  }

  #begin(queue: [IncomingMessage, ServerResponse][]): void {
    const [current] = queue;
    // What follows the last answer of a connection never gets it.
    if (current === undefined || current[1].socket === null) {
      queue.length = 0;
      return;
    }
    current[1].once('close', () => {
      queue.shift();
      this.#begin(queue);
    });
    this.#handle(...current);
  }
}
