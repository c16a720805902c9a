import type { Logger } from 'pino';
import { isDiskFull, isErrno } from '../files/errno.js';
import { ExecgoError } from '../task/errors.js';

/** How long to wait before the second try, and at most between two tries. Milliseconds. */
const FIRST_MS = 100;
const LONGEST_MS = 2000;
/** How often to try while descriptors, memory or processes are short: half a minute. */
const SHORTAGE_TRIES = 18;

export interface RetryOptions {
  log: Pick<Logger, 'info' | 'error'>;
  /** What failed, in words: `cannot write down how a task ended`. */
  what: string;
  /** Fields for the log. */
  about?: object;
  /** False once the action is not needed any more. */
  lasts: () => boolean;
  /** Called when a try has failed and another one will follow. */
  onDelay?: (() => void) | undefined;
  /** Whether to try again after this error, by default {@link mayPass}. @param tries how many there were */
  counts?: (error: unknown, tries: number) => boolean;
}

/**
 * True for failures that pass by themselves: a full disk and a busy store, however long that takes; a shortage of
 * descriptors, memory or processes, for a while. After any other error the next try would fail too.
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
 * Repeats an action until it succeeds. Logs the first failure with its stack, and a success after failures.
 * @throws the error of the last try, when it is not to be repeated or the action is not needed any more; it has been logged
 *   then
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
