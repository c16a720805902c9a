import type { ListQuery } from '../task/list.js';
import type { OutputStream, TaskEnd } from '../task/output.js';

/** What {@link ListQuery} says, with the server's own defaults for order and page length. */
export type ListFilter = Partial<ListQuery>;

/** What following a task's output brings, in the order in which the daemon has it. */
export type OutputEvent =
  | { type: 'data'; stream: OutputStream; offset: number; data: Buffer }
  /** The bytes from `from` up to `to` were not kept. */
  | { type: 'omitted'; stream: OutputStream; from: number; to: number }
  /** What follows is the output of another attempt, from its first byte on. */
  | { type: 'attempt'; attempt: number }
  /** The last one. */
  | { type: 'end'; end: TaskEnd };

/** How a kill is done. */
export interface KillOptions {
  /** Must equal the task's owner, where it has one. */
  owner?: string | undefined;
  /** Number of the first signal; TERM by default. */
  signal?: number | undefined;
  /** From the first signal to KILL, in milliseconds; the daemon's own by default. */
  graceMs?: number | undefined;
  /** Answer when the task is terminal, or after this many milliseconds; at once by default. */
  waitMs?: number | undefined;
}
