import type { Response } from 'express';
import type { Connections } from './connections.js';

/** For what does not wait. */
const NEVER = new AbortController().signal;

/** The requests that wait for something: each ends when its client is gone, and all when the daemon stops. */
export class Waiters {
  readonly #open = new Set<AbortController>();
  #stopping = false;

  constructor(private readonly connections: Connections) {}

  /** True once {@link stop} was called. */
  get stopping(): boolean {
    return this.#stopping;
  }

  /** @returns a signal that aborts when the answer is finished, its client is gone, others need its place or the daemon stops */
  signal(res: Response): AbortSignal {
    // Behind a body that nobody reads, the end of the connection would not be seen.
    res.req.resume();
    const controller = new AbortController();
    if (this.#stopping || res.closed) {
      controller.abort();
      return controller.signal;
    }
    this.#open.add(controller);
    this.connections.enter(res.req.socket, 'holding', () => {
      controller.abort();
    });
    res.once('close', () => {
      this.#open.delete(controller);
      controller.abort();
    });
    return controller.signal;
  }

  /**
   * A long poll: asks with `waitMs`, and once more without waiting when the daemon stops meanwhile, or others need the connection's place.
   * @returns undefined when the client has gone
   * @throws what `ask` throws for other reasons than the signal
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

  /** Ends all waiting, now and from now on. */
  stop(): void {
    this.#stopping = true;
    for (const controller of this.#open) controller.abort();
    this.#open.clear();
  }
}
