import { setTimeout as delay } from 'node:timers/promises';
import { isTransient } from './errors.js';

/** First pause between two attempts, in milliseconds; it doubles up to {@link MAX_PAUSE_MS}. */
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 1000;

/** Decides after each failure whether to try again, and waits before that. One per series of attempts. */
export class Patience {
  readonly #limitMs: number;
  #pauseMs = FIRST_PAUSE_MS;
  #lostAt: number | undefined;

  /** @param limitMs how long the daemon may be out of reach at a stretch. */
  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /** The daemon answered. */
  reached(): void {
    this.#lostAt = undefined;
  }

  /** The daemon sent something new, so that the next loss is one of its own. */
  progressed(): void {
    this.reached();
    this.#pauseMs = FIRST_PAUSE_MS;
  }

  /** Pauses. @throws the error itself when it is not transient or patience is over; the signal's reason when it aborts. */
  async afterFailure(error: unknown, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const now = performance.now();
    this.#lostAt ??= now;
    if (!isTransient(error) || now - this.#lostAt >= this.#limitMs) throw error;
    const pause = this.#pauseMs;
    this.#pauseMs = Math.min(pause * 2, MAX_PAUSE_MS);
    await delay(pause, undefined, { ...(signal === undefined ? {} : { signal }) }).catch(() => {
      signal?.throwIfAborted();
    });
  }
}
