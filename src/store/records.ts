import type { Cause } from '../task/causes.js';
import type { ErrorBody } from '../task/errors.js';
import type { NewEvent, TaskEvent } from '../task/events.js';
import type { ExecutionPlan } from '../task/plan.js';
import type { TaskRequest } from '../task/request.js';
import type { Resources } from '../task/resources.js';
import type { TaskStatus, TerminalStatus } from '../task/states.js';
import type { Usage } from '../task/view.js';

/** A task as the database knows it. Times are Unix milliseconds, durations milliseconds, sizes bytes. */
export interface TaskRecord {
  task_id: string;
  status: TaskStatus;
  /** Set exactly when `status` is terminal. */
  cause: Cause | null;
  /** As accepted; for a row of the older runtime rebuilt from the columns that runtime wrote. */
  request: TaskRequest;
  /** Set for a row of the older runtime whose `request` is not what was asked for, which our rules do not allow: why. */
  request_problem?: string | undefined;
  /** What of the row holds something that it cannot be, and is empty here; absent where nothing does. */
  unreadable?: string[] | undefined;
  plan: ExecutionPlan | null;
  /** The share of the ledger it asks for; held while `reserved_at_ms` is set and `released_at_ms` is not. */
  reservation: Resources | null;
  created_at_ms: number;
  updated_at_ms: number;
  started_at_ms: number | null;
  finished_at_ms: number | null;
  duration_ms: number | null;
  shim_pid: number | null;
  pid: number | null;
  pgid: number | null;
  /** Field 22 of the process's stat line. */
  start_ticks: number | null;
  exit_code: number | null;
  exit_signal: number | null;
  error: ErrorBody | null;
  usage: Usage | null;
  /** What the task wrote, kept or not. Null until terminal, and for rows of the older runtime. */
  stdout_bytes: number | null;
  stderr_bytes: number | null;
  /** What of its files could not be kept or written, in words. Null where all could. */
  warnings: string[] | null;
  kill_requested: boolean;
  kill_requested_at_ms: number | null;
  timeout_triggered: boolean;
  reserved_at_ms: number | null;
  released_at_ms: number | null;
  /**
   * Unique; orders tasks by submission. It is the seq of the task's first event; a row of the older runtime without any
   * event has a negative one, older ones lower.
   */
  submit_seq: number;
  /** Null while waiting, and for rows of the older runtime. */
  launch_id: number | null;
  launch_token: string | null;
  incarnation: string | null;
}

/** What tells one request from another under the same idempotency key. */
export interface RequestHash {
  /** Written down with the key. */
  sent: string;
  /** What a version before wrote down for the same request. */
  older: () => string;
}

export interface NewTask {
  task_id: string;
  request: TaskRequest;
  /** {@link request} as JSON: the row's truth, read back as it is. */
  request_json: string;
  /** What the client sent, as JSON. */
  sent_json: string;
  plan: ExecutionPlan;
  reservation: Resources;
  created_at_ms: number;
  /** Required with `control_context.idempotency_key`. */
  request_hash?: RequestHash | undefined;
  /** At least the `submitted` event, which comes first. */
  events: NewEvent[];
}

/** `inserted: false` is the replay of an idempotency key: `task_id` is the first answer's. */
export type InsertResult =
  { inserted: true; record: TaskRecord; events: TaskEvent[] } | { inserted: false; task_id: string };

/** One attempt to run a task. */
export interface Launch {
  launch_id: number;
  launch_token: string;
  incarnation: string;
  shim_pid: number;
  at_ms: number;
}

export interface Dispatch extends Launch {
  events: NewEvent[];
}

export interface Start {
  pid: number;
  pgid: number;
  start_ticks: number;
  started_at_ms: number;
  events: NewEvent[];
}

/** The state that another plan is guarded by: it waits, or it has a launch that never began. */
export type PlansFrom = { status: 'accepted' } | { status: 'running'; launch_id: number };

/** The state that an end is guarded by. `launch_id: null` is a running row of the older runtime. */
export type EndsFrom = { status: 'accepted' } | { status: 'running'; launch_id: number | null };

export interface TaskEnd {
  status: TerminalStatus;
  cause: Cause;
  finished_at_ms: number;
  duration_ms: number;
  /** For a start that was never told. */
  started_at_ms?: number | undefined;
  pid?: number | undefined;
  exit_code?: number | undefined;
  exit_signal?: number | undefined;
  error?: ErrorBody | undefined;
  usage?: Usage | undefined;
  stdout_bytes: number;
  stderr_bytes: number;
  warnings?: string[] | undefined;
  timeout_triggered?: boolean | undefined;
  /** Required when a reservation is held. */
  released_at_ms?: number | undefined;
  events: NewEvent[];
}

/** A supervisor process that may still hold tasks. With its boot id and start time it is never mistaken for another. */
export interface SupervisorRecord {
  incarnation: string;
  pid: number;
  start_ticks: number;
  boot_id: string;
  started_at_ms: number;
}

export interface TaskListPage {
  records: TaskRecord[];
  /** Absent on the last page. A page may be short or empty and still have one: what is read for a page is bounded. */
  next_cursor?: string | undefined;
}
