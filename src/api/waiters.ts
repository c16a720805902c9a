import type { Response } from 'express';
import type { Connections } from './connections.js';

/** For requests that do not wait. */
const NEVER = new AbortController().signal;

/** Why waits end. One for all: without a reason each `abort` makes an error of its own, with a stack that nobody reads. */
const OVER = new Error('the wait is over');

/** The requests that wait for something. A wait ends when its client is gone, and all end when the daemon stops. */
export class Waiters {
  readonly #open = new Set<AbortController>();
  #stopping = false;

  constructor(private readonly connections: Connections) {}

  /** True once {@link stop} was called. */
  get stopping(): boolean {
    return this.#stopping;
  }

  /**
   * @returns a signal that aborts when the answer is finished, its client is gone, another connection needs its place or the
   *   daemon stops
   */
  signal(res: Response): AbortSignal {
    // While there is an unread body the end of the connection would not be noticed.
    res.req.resume();
    const controller = new AbortController();
    if (this.#stopping || res.closed) {
      controller.abort(OVER);
      return controller.signal;
    }
    this.#open.add(controller);
    this.connections.enter(res.req.socket, 'holding', () => {
      controller.abort(OVER);
    });
    res.once('close', () => {
      this.#open.delete(controller);
      controller.abort(OVER);
    });
    return controller.signal;
  }

  /**
   * A long poll: calls `ask` with `waitMs`, and once more without waiting if the wait was ended early.
   * @returns undefined when the client has gone
   * @throws errors of `ask`, except for the signal's
   */
  async poll<T>(
    res: Response,
    waitMs: number,
    ask: (waitMs: number, signal: AbortSignal) => Promise<T>,
  ): Promise<T | undefined> {
    if (waitMs === 0 || this.#stopping) return ask(0, NEVER);
    const signal = this.signal(res);
    try {
      return await ask(waitMs, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
      if (res.closed) return undefined;
      res.shouldKeepAlive = false;
      return ask(0, NEVER);
    }
  }

  /** Ends all waits, now and from now on. */
  stop(): void {
    this.#stopping = true;
    for (const controller of this.#open) controller.abort(OVER);
    this.#open.clear();
  }
}
