import type { ListQuery, TimeRange } from '../task/list.js';
import type { OutputStream, TaskEnd } from '../task/output.js';
import type { TaskSummary } from '../task/view.js';

/** What {@link ListQuery} says, with times as RFC 3339, and the server's own defaults for order and page length. */
export type ListFilter = Partial<Omit<ListQuery, keyof TimeRange | 'unread_by'>> & {
  /** With `unread`: who reads. */
  reader?: string | undefined;
  /** Only tasks that the reader has not seen as they are. */
  unread?: true | undefined;
} & {
  [Time in keyof TimeRange]?: string | undefined;
};

/** Those of a page that were asked for, and the id. */
export interface ListPage<Field extends keyof TaskSummary> {
  tasks: Pick<TaskSummary, Field | 'task_id'>[];
  /** Absent on the last page. */
  next_cursor?: string | undefined;
}

/** Which changes of tasks are asked for. */
export interface ChangesOptions {
  /** The version of the last `caught_up`; 0, which is the default: begin with all tasks. */
  after?: number | undefined;
  /** Go on with each change as it comes. */
  follow?: boolean | undefined;
  tenant?: string | undefined;
  owner?: string | undefined;
  session_id?: string | undefined;
  /** How many the daemon tells at once. */
  limit?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** Which events are asked for. */
export type { EventFilter } from '../task/events.js';

/** What became of tasks. */
export type Change =
  /** The task as it is now; an earlier change of it counts no more. */
  | { type: 'task'; version: number; task: TaskSummary }
  | { type: 'deleted'; version: number; task_id: string; deleted_at: string }
  /** Forget all tasks: what was deleted since is not known any more. Those that there are follow. */
  | { type: 'reset' }
  /** All changes up to this version have been told: what to begin with the next time. */
  | { type: 'caught_up'; version: number };

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
  /** Why, in words: kept with the task. */
  reason?: string | undefined;
  /** Number of the first signal; TERM by default. */
  signal?: number | undefined;
  /** From the first signal to KILL, in milliseconds; the daemon's own by default. */
  graceMs?: number | undefined;
  /** Answer when the task is terminal, or after this many milliseconds; at once by default. */
  waitMs?: number | undefined;
  /** Kill all below it, too: its children, and theirs. */
  children?: boolean | undefined;
}
