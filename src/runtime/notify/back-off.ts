/** The longest time between two attempts, in milliseconds. */
const LONGEST_MS = 3_600_000;
/** By which part of it a wait may be longer, so that messages that have failed together do not come together again. */
const JITTER = 0.1;

/** When a message that was not delivered is tried again. */
export const backOff = {
  /**
   * In milliseconds: twice as long after each attempt.
   * @param attempts how many there were
   * @param random from 0 to 1
   */
  delayMs(firstMs: number, attempts: number, random: number): number {
    const delay = Math.min(firstMs * 2 ** (attempts - 1), LONGEST_MS);
    return Math.round(delay * (1 + JITTER * random));
  },

  /** What a `retry-after` asks for, in milliseconds from now; undefined: nothing that can be understood. */
  asked(retryAfter: string | undefined, nowMs: number): number | undefined {
    if (retryAfter === undefined) return undefined;
    const ms = /^\d{1,9}$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - nowMs;
    return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), LONGEST_MS);
  },
};
