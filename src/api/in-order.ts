import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Connections } from './connections.js';

/** How many requests of one connection may be unanswered; a client that sends more is disconnected. */
const UNANSWERED_MAX = 100;

/** A client that reads nothing of an answer for this long, in milliseconds, is disconnected. */
const UNREAD_MS = 60_000;
const LONG_ANSWER_BYTES = 65_536;

type Handle = (req: IncomingMessage, res: ServerResponse) => void;

/**
 * Handles the requests of one connection one after another. So a request that is being handled has the connection for
 * itself, and what it holds is freed when the connection ends; a request that waits holds nothing but its head.
 */
export class InOrder {
  readonly #unanswered = new WeakMap<Duplex, [IncomingMessage, ServerResponse][]>();

  /** @param unreadMs how long a client may read nothing of an answer that has been sent; 60,000 by default */
  constructor(
    private readonly handle: Handle,
    private readonly connections: Connections,
    private readonly unreadMs = UNREAD_MS,
  ) {}

  /**
   * How many requests of the connection have not been fully answered; `isComing` when the first of them is still arriving
   * and its answer has not begun.
   */
  unanswered(socket: Duplex): { count: number; isComing: boolean } {
    const queue = this.#unanswered.get(socket) ?? [];
    const [req, res] = queue[0] ?? [];
    return { count: queue.length, isComing: req?.complete === false && res?.headersSent === false };
  }

  /** Handles a request now, or once those before it have been answered. */
  take(req: IncomingMessage, res: ServerResponse): void {
    // The code that writes the answer notices that it is closed; without a listener the error would end the daemon.
    req.on('error', () => undefined);
    res.on('error', () => undefined);
    const queue = this.#unanswered.get(req.socket) ?? [];
    this.#unanswered.set(req.socket, queue);
    queue.push([req, res]);
    if (queue.length > UNANSWERED_MAX) req.socket.destroy();
    else if (queue.length === 1) this.#begin(req.socket, queue);
  }

  #begin(socket: Socket, queue: [IncomingMessage, ServerResponse][]): void {
    const [current] = queue;
    // Requests after the last answer of a connection are never answered.
    if (current === undefined || current[1].socket === null) {
      queue.length = 0;
      this.connections.enter(socket, 'idle');
      return;
    }
    const [req, res] = current;
    this.connections.enter(socket, 'working');
    res.once('prefinish', () => {
      this.connections.enter(socket, 'answering');
      // Most answers have been sent completely by then, and need no timer.
      if (socket.writableLength > LONG_ANSWER_BYTES) socket.setTimeout(this.unreadMs);
    });
    res.once('close', () => {
      queue.shift();
      this.#begin(socket, queue);
    });
    this.handle(req, res);
  }
}
