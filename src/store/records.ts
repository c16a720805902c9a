import type { Cause, Verdict } from '../task/causes.js';
import type { ErrorBody } from '../task/error-body.js';
import type { NewEvent, TaskEvent } from '../task/events.js';
import type { KillNote } from '../task/kill-note.js';
import type { ExecutionPlan } from '../task/plan.js';
import { queueOf, type TaskRequest } from '../task/request.js';
import type { ResourceItems, Resources } from '../task/resources.js';
import type { KeptProgress } from '../task/progress.js';
import type { TerminalStatus } from '../task/states.js';
import type { Condition } from '../task/dependencies.js';
import type { Usage } from '../task/view.js';

/**
 * A task as the database knows it: what is known of each, and what it has in the status that it is in. Times are Unix
 * milliseconds, durations milliseconds, sizes bytes. What is absent or null although our rows have it is so in rows of the
 * older runtime only, and where somebody else has been at the row.
 */
export type TaskRecord = WaitingTask | RunningTask | EndedTask;

/** One that is not terminal. */
export type LiveRecord = WaitingTask | RunningTask;

/** What a task has in every status, and keeps. */
export interface TaskFacts {
  task_id: string;
  /**
   * Unique; orders tasks by submission. It is the seq of the task's first event; a row of the older runtime without any
   * event has a negative one, older ones lower.
   */
  submit_seq: number;
  /** As accepted; for a row of the older runtime made from the columns that it has. */
  request: TaskRequest;
  /** The task that it repeats. */
  retry_of?: string | undefined;
  /** Why the `request` of a row of the older runtime is not what was asked for: our rules do not allow that. */
  request_problem?: string | undefined;
  /** Names of values in the row that could not be read, and are empty here; absent when there are none. */
  unreadable?: string[] | undefined;
  plan: ExecutionPlan | null;
  /** The share of the ledger it asks for. */
  reservation: Resources | null;
  created_at_ms: number;
}

interface AnyState {
  /** Grows with each change of the task: its number among all changes of tasks. 0: not changed since they are counted. */
  version: number;
  /** How many attempts have failed and were followed by another, or by a wait for one. */
  past_attempts: number;
  updated_at_ms: number;
  /** Absent: no kill was asked for. */
  kill_requested_at_ms?: number | undefined;
  /** Who asked for it and why, where that was said. */
  kill_note?: KillNote | undefined;
}

export interface WaitingState extends AnyState {
  status: 'accepted';
  /** When the attempt before had ended: Unix time. Absent where there was none. */
  failed_at_ms?: number | undefined;
  /**
   * When that is or was over which does not follow from the request and has kept it from starting: the back-off after an attempt, or a
   * hold or a start time that was taken back. A time of the retention clock. Absent: there has been nothing since it was accepted.
   */
  eligible_ms?: number | undefined;
}

export interface RunningState extends AnyState {
  status: 'running';
  attempt: AttemptRecord;
  /** Absent until its start was told. */
  process?: ProcessRecord | undefined;
  /** Since when it holds its share of the ledger. */
  reserved_at_ms?: number | undefined;
  /** What it has for itself of named resources; absent: nothing. */
  items?: ResourceItems | undefined;
  /** Its wall time has passed. */
  timed_out: boolean;
  /** Since when it is paused; absent: it is not, or is to end. */
  paused_at_ms?: number | undefined;
  /** How far it is; absent: it has not said. */
  progress?: KeptProgress | undefined;
}

export interface EndedState extends AnyState {
  status: TerminalStatus;
  cause: Cause;
  finished_at_ms: number;
  duration_ms?: number | undefined;
  /** Absent: it was never launched. */
  attempt?: AttemptRecord | undefined;
  /** What it had for itself of named resources. */
  items?: ResourceItems | undefined;
  /** How far it was at last; absent: it has not said. */
  progress?: KeptProgress | undefined;
  /** Absent: none is known to have run. */
  process?: ProcessRecord | undefined;
  exit_code?: number | undefined;
  exit_signal?: number | undefined;
  error?: ErrorBody | undefined;
  usage?: Usage | undefined;
  /** What the task wrote, kept or not. */
  stdout_bytes?: number | undefined;
  stderr_bytes?: number | undefined;
  /** What of its files could not be kept or written, in words. */
  warnings: string[];
  /** How many messages its end has caused. */
  notices: number;
  /** The last task that repeats it. */
  retried_as?: string | undefined;
  /** How many tasks were to follow it. */
  follow_ups: number;
}

export type TaskState = WaitingState | RunningState | EndedState;
export type WaitingTask = TaskFacts & WaitingState;
export type RunningTask = TaskFacts & RunningState;
export type EndedTask = TaskFacts & EndedState;

/** The task, if it has ended. */
export function endOf(task: TaskRecord): EndedTask | undefined {
  return task.status === 'accepted' || task.status === 'running' ? undefined : task;
}

/** What a task takes of the ledger; a row of the older runtime without a reservation takes a slot. */
export function shareOf({ reservation }: Pick<TaskFacts, 'reservation'>): Resources {
  return reservation ?? { task_slots: 1 };
}

/** Where a task waits, and what it asks of whom: its claim on the ledger. */
export function claimOf({ request, reservation }: Pick<TaskFacts, 'request' | 'reservation'>) {
  return {
    tenant: request.control_context?.tenant,
    queue: queueOf(request),
    lane: request.control_context?.lane,
    reservation: shareOf({ reservation }),
    concurrency: request.policy.concurrency,
  };
}

/** The number of the attempt that a task is at, or was at last; 0 before the first. */
export function attemptNumber(task: TaskRecord): number {
  return task.past_attempts + (task.status !== 'accepted' && task.attempt !== undefined ? 1 : 0);
}

/** The attempt whose output is shown where none is asked for: the last that began, or the first. */
export function shownAttempt(record: TaskRecord): number {
  return Math.max(1, attemptNumber(record));
}

/** The attempt that a task is at, or was at last. */
export type AttemptRecord = OwnAttempt | OlderAttempt;

export interface OwnAttempt {
  launch_id: number;
  launch_token: string;
  incarnation: string;
  shim_pid?: number | undefined;
}

/** One of the older runtime: no supervisor knows it. */
interface OlderAttempt {
  launch_id: null;
  shim_pid?: number | undefined;
}

/** The process of an attempt. */
export interface ProcessRecord {
  started_at_ms: number;
  pid?: number | undefined;
  pgid?: number | undefined;
  /** Field 22 of the process's stat line; absent also where only the end of the process was told. */
  start_ticks?: number | undefined;
}

/** A change that is written: the task as it is now, and what that adds to its history. */
export interface Changed<T extends TaskRecord> {
  task: T;
  events: TaskEvent[];
}

/** The hash that tells requests with the same idempotency key apart. */
export interface RequestHash {
  /** Stored with the key. */
  sent: string;
  /** The hash that an earlier version stored for the same request. */
  older: () => string;
}

export interface NewTask {
  task_id: string;
  request: TaskRequest;
  /** {@link request} as JSON, from which it is read again. */
  request_json: string;
  /** What the client sent, as JSON. */
  sent_json: string;
  plan: ExecutionPlan;
  reservation: Resources;
  created_at_ms: number;
  /** The task that it repeats. */
  retry_of?: string | undefined;
  /** Required with `control_context.idempotency_key`. */
  request_hash?: RequestHash | undefined;
  /** At least the `submitted` event, which comes first. */
  events: NewEvent[];
}

/** `inserted: false` is a replay of an idempotency key: `task_id` is that of the first answer. */
export type InsertResult = ({ inserted: true } & Changed<WaitingTask>) | { inserted: false; task_id: string };

/** What an edit makes of a waiting task. */
export interface Edit extends Pick<NewTask, 'request' | 'plan' | 'reservation' | 'events'> {
  /** What was sent with the submit, with what the edit changes of it; null for a task of an earlier version. */
  sent_json: string | null;
  /** See {@link WaitingState}. */
  eligible_ms: number | undefined;
  at_ms: number;
  /** What of `policy.after` does not hold yet. Absent: as before. */
  open?: readonly Condition[] | undefined;
}

/** One attempt to run a task. */
export interface Attempt {
  launch_id: number;
  launch_token: string;
  incarnation: string;
  shim_pid: number;
  at_ms: number;
}

export interface Dispatch extends Attempt {
  /** What it gets for itself of named resources. */
  items?: ResourceItems | undefined;
  events: NewEvent[];
}

export interface Start {
  pid: number;
  pgid: number;
  start_ticks: number;
  started_at_ms: number;
  events: NewEvent[];
}

export type TaskEnd = Verdict & {
  finished_at_ms: number;
  duration_ms: number;
  /** For a start that was not recorded before. */
  started_at_ms?: number | undefined;
  pid?: number | undefined;
  exit_code?: number | undefined;
  exit_signal?: number | undefined;
  usage?: Usage | undefined;
  stdout_bytes: number;
  stderr_bytes: number;
  warnings?: string[] | undefined;
  /** Required when a reservation is held. */
  released_at_ms?: number | undefined;
  /** How many messages it causes, which the caller writes. */
  notices?: number | undefined;
  /** How many tasks are to follow it, which the caller writes. */
  follow_ups?: number | undefined;
  events: NewEvent[];
};

/** How an attempt ended that was not the last of its task. */
export interface PastAttempt {
  /** Its number, from 1 on. */
  attempt: number;
  cause: Cause;
  exit_code?: number | undefined;
  exit_signal?: number | undefined;
  started_at_ms?: number | undefined;
  finished_at_ms: number;
  usage?: Usage | undefined;
  error: ErrorBody;
  /** What it wrote, kept or not. */
  stdout_bytes: number;
  stderr_bytes: number;
  /** What of its output could not be kept, in words. */
  warnings: string[];
}

/** A task goes back to wait for another attempt. */
export interface Retry extends Pick<NewTask, 'request' | 'plan' | 'reservation' | 'events'> {
  /** The attempt that has failed. */
  ended: PastAttempt;
  /** When the next one is due, on the retention clock. */
  eligible_ms: number;
  at_ms: number;
}

/**
 * A supervisor process that may still hold attempts. With its boot id and start time it is never mistaken for another
 * process.
 */
export interface SupervisorRecord {
  incarnation: string;
  pid: number;
  start_ticks: number;
  boot_id: string;
  started_at_ms: number;
}

export interface TaskListPage {
  records: TaskRecord[];
  /**
   * Absent on the last page. A page may be short or empty and still have one, because the rows read for a page are limited.
   */
  next_cursor?: string | undefined;
}
