import type { TaskEnd } from '../client/index.js';

/** What every command's exit code means; `run` and `wait` add the task's own. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  /** `--timeout-ms` of `wait`, `run` or `submit` ran out. */
  timeout: 124,
  /** `run` and `wait`: the task ended without an exit code or signal of its own. */
  none: 125,
  /** Plus the number of the signal that ended the task. */
  signal: 128,
  /** The reader of standard output has closed it: 128 + SIGPIPE. */
  readerGone: 141,
} as const;

/** The fields of a status that the exit code of `run` and `wait` depends on. */
export type TaskEnding = Pick<TaskEnd, 'status' | 'exit_code' | 'exit_signal'>;

/** The task's own exit code, 128 + n for a signal, 125 without either; never 0 for a task that did not succeed. */
export function exitCodeOf(end: TaskEnding): number {
  if (end.status === 'success') return EXIT.ok;
  if (end.exit_code !== undefined && end.exit_code !== 0) return end.exit_code;
  return end.exit_signal === undefined ? EXIT.none : EXIT.signal + end.exit_signal;
}
