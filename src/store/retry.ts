import type { Logger } from 'pino';
import { isDiskFull, isErrno } from '../files/errno.js';
import { ExecgoError } from '../task/errors.js';

/** How long until the second try, and at most between two tries. Milliseconds. */
const FIRST_MS = 100;
const LONGEST_MS = 2000;
/** Tries while descriptors, memory or processes are short: half a minute. */
const SHORTAGE_TRIES = 18;

export interface RetryOptions {
  log: Pick<Logger, 'info' | 'error'>;
  /** What cannot be done, in words: `cannot write down how a task ended`. */
  what: string;
  /** Of what it is told in the log. */
  about?: object;
  /** False once nobody needs it any more. */
  lasts: () => boolean;
  /** Called when a try has failed and there will be another. */
  onDelay?: (() => void) | undefined;
  /** Which errors another try may get over, by default {@link mayPass}. @param tries how many there were */
  counts?: (error: unknown, tries: number) => boolean;
}

/**
 * True for what passes by itself: a full disk and a busy store, however long that takes; a shortage of descriptors, memory
 * or processes, for a while. Anything else is the same at the next try.
 */
export function mayPass(error: unknown, tries: number): boolean {
  if (error instanceof ExecgoError) return ['insufficient_storage', 'unavailable'].includes(error.code);
  if (isDiskFull(error)) return true;
  return isErrno(error, 'EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN') && tries < SHORTAGE_TRIES;
}

/** Milliseconds until the next try after `tries` of them: doubled each time, from 100 ms up to 2 s. */
export function backOffMs(tries: number): number {
  return Math.min(FIRST_MS * 2 ** (tries - 1), LONGEST_MS);
}

/**
 * Tries until it is done. The first failure is logged with its stack, and that it could be done in the end.
 * @throws what the last try failed with, once that does not count or nobody needs it any more; it is logged then
 */
export async function retry<T>(action: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { log, what, about, lasts, onDelay, counts = mayPass } = options;
  for (let tries = 1; ; tries++) {
    try {
      const result = await action();
      if (tries > 1) log.info({ ...about, tries }, `${what}: it can now`);
      return result;
    } catch (error) {
      if (!lasts()) throw error;
      const again = counts(error, tries);
      if (tries === 1 || !again)
        log.error({ err: error, ...about, tries }, `${what}; ${again ? 'will retry' : 'given up'}`);
      if (!again) throw error;
      onDelay?.();
      await new Promise((resolve) => setTimeout(resolve, backOffMs(tries)));
      if (!lasts()) throw error;
    }
  }
}
