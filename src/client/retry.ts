import { setTimeout as delay } from 'node:timers/promises';
import type { Abortable } from './calls.js';
import { busyForMs, isTransient } from './errors.js';

/** First pause between two tries, in milliseconds; it doubles up to {@link MAX_PAUSE_MS}. */
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 1000;
/** The longest that the daemon holds a status request, in milliseconds. */
export const MAX_LONG_POLL_MS = 60_000;

/** Decides after each failure whether to try again, and waits before that. One for each series of tries. */
export class Patience {
  #pauseMs = FIRST_PAUSE_MS;
  #lostAt: number | undefined;

  /**
   * @param limitMs how long the daemon may be out of reach without interruption.
   * @param mayRetry which failures may be gone in a moment; by default those of a daemon that restarts
   */
  constructor(
    private readonly limitMs: number,
    private readonly mayRetry = isTransient,
  ) {}

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
    const left = this.limitMs - (now - this.#lostAt);
    if (!this.mayRetry(error) || left <= 0) throw error;
    const pause = Math.min(busyForMs(error) ?? this.#pauseMs, left);
    this.#pauseMs = Math.min(pause * 2, MAX_PAUSE_MS);
    await delay(pause, undefined, { ...(signal === undefined ? {} : { signal }) }).catch(() => {
      signal?.throwIfAborted();
    });
  }
}

/**
 * Asks until there is an answer.
 * @param limitMs see {@link Patience}
 * @param mayRetry which failures may be gone in a moment
 */
export async function patiently<T>(
  limitMs: number,
  ask: () => Promise<T>,
  signal: AbortSignal | undefined,
  mayRetry = isTransient,
): Promise<T> {
  const patience = new Patience(limitMs, mayRetry);
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      await patience.afterFailure(error, signal);
    }
  }
}

/**
 * Asks again and again until the answer is over, and bears a daemon that is out of reach.
 * @param limitMs see {@link Patience}
 * @throws what `expired` makes when `timeoutMs` run out first
 */
export async function until<T>(
  limitMs: number,
  ask: (waitMs: number, signal: AbortSignal | undefined) => Promise<T>,
  isOver: (answer: T) => boolean,
  { timeoutMs, signal }: Abortable & { timeoutMs?: number | undefined },
  expired: (timeoutMs: number) => Error,
): Promise<T> {
  const end = performance.now() + (timeoutMs ?? Infinity);
  const patience = new Patience(limitMs);
  for (;;) {
    const left = end - performance.now();
    try {
      const answer = await ask(Math.ceil(Math.min(Math.max(left, 0), MAX_LONG_POLL_MS)), signal);
      if (isOver(answer)) return answer;
      patience.progressed();
    } catch (error) {
      if (left <= 0) throw error;
      await patience.afterFailure(error, signal);
    }
    if (timeoutMs !== undefined && left <= 0) throw expired(timeoutMs);
  }
}
