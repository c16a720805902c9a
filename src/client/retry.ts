import { setTimeout as delay } from 'node:timers/promises';
import { isTransient } from './errors.js';

/** First pause between two tries, in milliseconds; it doubles up to {@link MAX_PAUSE_MS}. */
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 1000;

/** Decides after each failure whether to try again, and waits before that. One for each series of tries. */
export class Patience {
  #pauseMs = FIRST_PAUSE_MS;
  #lostAt: number | undefined;

  /** @param limitMs how long the daemon may be out of reach without interruption. */
  constructor(private readonly limitMs: number) {}

  /** To be called when the daemon has answered. */
  reached(): void {
    this.#lostAt = undefined;
  }

  /** To be called when the daemon has sent something new: the next lost connection starts a series of its own. */
  progressed(): void {
    this.reached();
    this.#pauseMs = FIRST_PAUSE_MS;
  }

  /**
   * Waits before the next try. @throws the error itself when it is not transient or the limit has passed; the signal's
   * reason when it aborts.
   */
  async afterFailure(error: unknown, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const now = performance.now();
    this.#lostAt ??= now;
    if (!isTransient(error) || now - this.#lostAt >= this.limitMs) throw error;
    const pause = this.#pauseMs;
    this.#pauseMs = Math.min(pause * 2, MAX_PAUSE_MS);
    await delay(pause, undefined, { ...(signal === undefined ? {} : { signal }) }).catch(() => {
      signal?.throwIfAborted();
    });
  }
}
