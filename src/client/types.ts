import type { Cause } from '../task/causes.js';
import type { ErrorBody } from '../task/errors.js';
import type { ListQuery } from '../task/list.js';
import type { TerminalStatus } from '../task/states.js';
import type { SubmitAnswer, TaskSummary } from '../task/view.js';

export type OutputStream = 'stdout' | 'stderr';

/** What {@link ListQuery} says, with the server's own defaults for order and page length. */
export type ListFilter = Partial<ListQuery>;

/** One page of the task list. */
export interface TaskPage {
  tasks: TaskSummary[];
  /** Absent on the last page. */
  next_cursor?: string | undefined;
}

/** Answer to one item of a batch. */
export type BatchItem = SubmitAnswer | { task_id?: string | undefined; error: ErrorBody };

/** A range of one output stream. Offsets and counts are bytes of what the task wrote. */
export interface OutputRange {
  stream: OutputStream;
  /** First byte of `data`; beyond what was asked for where the bytes between are gone. */
  offset: number;
  data: Buffer;
  /** Where to go on reading. */
  next_offset: number;
  /** Bytes the task wrote so far. */
  total_bytes: number;
  /** Bytes of the head that are kept. */
  kept_bytes: number;
  /** Bytes between head and tail that are gone. */
  omitted_bytes: number;
  /** True once the task is terminal and nothing follows. */
  eof: boolean;
}

/** Head and tail of one output stream as text; nothing is cut inside a character. */
export interface HeadTailView {
  stream: OutputStream;
  head: string;
  tail: string;
  head_bytes: number;
  tail_bytes: number;
  total_bytes: number;
  omitted_bytes: number;
  /** Absent where the omitted lines cannot be counted. */
  omitted_lines?: number | undefined;
  total_lines?: number | undefined;
  eof: boolean;
}

/** How a task ended, as the output stream tells it. */
export interface TaskEnd {
  status: TerminalStatus;
  exit_code?: number | undefined;
  exit_signal?: number | undefined;
  cause?: Cause | undefined;
}

/** What following a task's output brings, in the order in which the daemon has it. */
export type OutputEvent =
  | { type: 'data'; stream: OutputStream; offset: number; data: Buffer }
  /** The bytes from `from` up to `to` were not kept. */
  | { type: 'omitted'; stream: OutputStream; from: number; to: number }
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
