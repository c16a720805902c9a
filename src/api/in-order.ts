import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Connections } from './connections.js';

/** Most requests of one connection that may be unanswered; a client that sends more before it reads is cut off. */
const UNANSWERED_MAX = 100;

/** A client that takes nothing of the rest of an answer for so long, in milliseconds, is cut off. */
const UNREAD_MS = 60_000;
const LONG_ANSWER_BYTES = 65_536;

type Handle = (req: IncomingMessage, res: ServerResponse) => void;

/**
 * Has the requests of one connection handled one after another. So each has its connection while it is handled, and
 * whatever it holds ends with that: one that waits behind another holds nothing but its head.
 */
export class InOrder {
  readonly #handle: Handle;
  readonly #connections: Connections;
  readonly #unreadMs: number;
  readonly #unanswered = new WeakMap<Duplex, [IncomingMessage, ServerResponse][]>();

  /** @param unreadMs how long a client may take nothing of an answer that has been sent; 60,000 by default */
  constructor(handle: Handle, connections: Connections, unreadMs = UNREAD_MS) {
    this.#handle = handle;
    this.#connections = connections;
    this.#unreadMs = unreadMs;
  }

  /**
   * The requests of the connection that have not been answered in full, and whether the first of them is still coming and
   * its answer has not begun.
   */
  unanswered(socket: Duplex): { count: number; isComing: boolean } {
    const queue = this.#unanswered.get(socket) ?? [];
    const [req, res] = queue[0] ?? [];
    return { count: queue.length, isComing: req?.complete === false && res?.headersSent === false };
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
    else if (queue.length === 1) this.#begin(req.socket, queue);
  }

  #begin(socket: Socket, queue: [IncomingMessage, ServerResponse][]): void {
    const [current] = queue;
    // What follows the last answer of a connection never gets it.
    if (current === undefined || current[1].socket === null) {
      queue.length = 0;
      this.#connections.enter(socket, 'idle');
      return;
    }
    const [req, res] = current;
    this.#connections.enter(socket, 'working');
    res.once('prefinish', () => {
      this.#connections.enter(socket, 'answering');
      // Most answers are out by then, and need no timer.
      if (socket.writableLength > LONG_ANSWER_BYTES) socket.setTimeout(this.#unreadMs);
    });
    res.once('close', () => {
      queue.shift();
      this.#begin(socket, queue);
    });
    this.#handle(req, res);
  }
}
