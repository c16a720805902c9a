import type { EventFilter } from '../task/events.js';
import type { BulkAnswer } from '../task/actions.js';
import type { GcRequest } from '../task/gc.js';
import type { ReadMark } from '../task/read-mark.js';
import type { Snapshot } from '../task/snapshot.js';
import type { ChangesQuery, ListQuery } from '../task/list.js';
import type { GroupKillAnswer, GroupPage, GroupQuery, GroupView } from '../task/groups.js';
import type { HeadTailBytes, OutputBytes, OutputStream, TaskEnd } from '../task/output.js';
import type { NotifyTestAnswer } from '../task/notification-view.js';
import type { PlannedTask } from '../task/plan.js';
import type { GroupRetryAnswer, GroupRetryQuery, RetryAnswer } from '../task/rerun.js';
import type { CommandService } from './command-service.js';
import type { FileService } from './file-service.js';
import type { SessionService } from './session-service.js';
import type { QueuePage, QueueQuery, QueueView } from '../task/queues.js';
import type { SchedulePage, ScheduleView } from '../task/schedules.js';
import type {
  Capabilities,
  GcReport,
  Readiness,
  RuntimeInfo,
  RuntimeResources,
} from '../task/runtime-view.js';
import type {
  BatchItem,
  ChangesPage,
  EventPage,
  EventView,
  SubmitAnswer,
  TaskPage,
  WaitAnswer,
} from '../task/view.js';
import type { WaitMode } from '../task/wait-mode.js';

/** JSON that is already encoded, as pieces to be written one after another. */
export type EncodedJson = Buffer[];

export interface StatusOptions {
  /** Answer when the task is terminal, or after this long. 0 answers at once. */
  wait_ms: number;
  /** With what is below the task. */
  tree?: boolean | undefined;
}

export interface KillOptions {
  /** Value of `x-execgo-owner`. */
  owner?: string | undefined;
  /** Why, in words. */
  reason?: string | undefined;
  /** First signal; TERM by default. */
  signal?: number | undefined;
  /** From the first signal to KILL; by default that of the daemon. */
  grace_ms?: number | undefined;
  /** Answer when the task is terminal, or after this long. 0 answers at once. */
  wait_ms?: number | undefined;
  /** Kills all below it, too. */
  children?: boolean | undefined;
}

/** How to pause or resume. */
export interface TurnOptions {
  /** Value of `x-execgo-owner`. */
  owner: string | undefined;
  /** How long the answer waits until that is done. */
  wait_ms: number;
}

/** How a task is run again. */
export interface RetryOptions {
  /** Value of `x-execgo-owner`. */
  owner: string | undefined;
  /** Also when another has come in its place before. */
  again: boolean;
}

/** Follows one stream of a task. */
export interface OutputWatch {
  /**
   * Resolves when the stream may have bytes past `offset`, when the task is terminal or deleted, and when the follower is
   * gone. For one caller at a time, which then reads with {@link Service.outputRange}.
   */
  growth(offset: number): Promise<void>;
  close(): void;
}

/**
 * What the daemon does for a client: the only interface that `api` knows. Every method that takes a task id throws
 * `not_found` for an unknown one; methods that take a body throw `invalid_input`.
 */
export interface Service {
  readonly sessions: SessionService;
  readonly files: FileService;
  readonly commands: CommandService;
  /** Validates, plans, checks capacity, quota and queue, and answers once the row is durable. */
  submit(body: unknown): Promise<SubmitAnswer>;
  /** The plan and the reservation, or the refusal, without accepting anything. */
  dryRun(body: unknown): PlannedTask;
  /** Up to 1,000 items `{tasks: [...]}`, in few transactions, an answer per item, in order. */
  submitBatch(body: unknown): Promise<BatchItem[]>;
  /** The status object; with `wait_ms` as soon as it is terminal, or then as it is. Rejects when `signal` aborts. */
  status(taskId: string, options: StatusOptions, signal: AbortSignal): Promise<EncodedJson>;
  /** The submit body as it was sent; for a task of an earlier version, as that version accepted it. */
  request(taskId: string): EncodedJson;
  /**
   * Changes a task that waits, and answers its status: see `task/edit.ts`. `conflict` when it does not wait any more, or has
   * another version than the body names.
   * @param owner value of `x-execgo-owner`
   */
  edit(taskId: string, body: unknown, owner: string | undefined): Promise<EncodedJson>;
  /** Lets a task start that is held; in all else as {@link edit}. */
  release(taskId: string, owner: string | undefined): Promise<EncodedJson>;
  kill(taskId: string, options: KillOptions, signal: AbortSignal): Promise<EncodedJson>;
  /** Submits a task that has ended once more; `conflict` while it has not. */
  retry(taskId: string, options: RetryOptions): Promise<RetryAnswer>;
  /**
   * Stops a running task, and its wall time. Answers when nothing of it runs any more, or after `wait_ms`; `conflict` for one
   * that does not run or is being ended.
   */
  pause(taskId: string, options: TurnOptions, signal: AbortSignal): Promise<EncodedJson>;
  /** Lets a paused task go on; in all else as {@link pause}. */
  resume(taskId: string, options: TurnOptions, signal: AbortSignal): Promise<EncodedJson>;
  /** A page of tasks; a search may take many turns of the event loop. Rejects when `signal` aborts. */
  list(query: ListQuery, signal: AbortSignal): Promise<TaskPage>;
  /**
   * A page of the tasks that changed or were deleted since a version; waits up to `waitMs` for the first change. `gone` when it
   * is not known any more what all was deleted since. Rejects when `signal` aborts.
   */
  changes(query: ChangesQuery, waitMs: number, signal: AbortSignal): Promise<ChangesPage>;
  taskEvents(taskId: string, afterSeq: number, limit: number | undefined): EventView[];
  /** Events of all tasks with `seq > afterSeq`, at most `limit`; waits up to `waitMs` for the first. */
  events(afterSeq: number, limit: number, waitMs: number, signal: AbortSignal): Promise<EventView[]>;
  /**
   * Events with `seq > afterSeq` that pass, at most `limit`, from a bounded part of the history; at its end waits up to `waitMs`
   * for the first. Rejects when `signal` aborts.
   */
  eventsWhere(
    filter: EventFilter,
    afterSeq: number,
    limit: number,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<EventPage>;
  /**
   * The tasks as they are, in that order; with `waitMs` as soon as one of them, or each, has ended, or then as they are. Rejects
   * when `signal` aborts.
   */
  wait(ids: readonly string[], mode: WaitMode, waitMs: number, signal: AbortSignal): Promise<WaitAnswer>;
  /** Seq of the newest committed event; 0 when there is none. */
  lastSeq(): number;
  /** The attempt whose output is shown where none is asked for: the last that began, or 1. */
  lastAttempt(taskId: string): number;
  /**
   * Resolves once an attempt is over and what comes next is known: the number of the next one that has begun, or undefined when the
   * task is terminal without one.
   */
  nextAttempt(taskId: string, attempt: number, signal: AbortSignal): Promise<number | undefined>;
  /** @param attempt undefined: see {@link lastAttempt}; `not_found` for one that there is not */
  outputRange(
    taskId: string,
    stream: OutputStream,
    offset: number,
    limit: number,
    attempt?: number,
  ): Promise<OutputBytes>;
  outputView(
    taskId: string,
    stream: OutputStream,
    maxBytes: number,
    maxLines: number,
    attempt?: number,
  ): Promise<HeadTailBytes>;
  /** Bytes as a JSON string, quotes included, with U+FFFD for what is not UTF-8; long ones away from the event loop. */
  encodeText(bytes: Buffer): Promise<Buffer>;
  /** @param signal aborts when nobody follows any more */
  watchOutput(taskId: string, stream: OutputStream, attempt: number, signal: AbortSignal): OutputWatch;
  /** How a task is, in as few words as there are. */
  ending(taskId: string): TaskEnd;
  /**
   * Deletes a terminal task and its files; `conflict` while it is not terminal.
   * @param owner value of `x-execgo-owner`
   */
  deleteTask(taskId: string, owner: string | undefined): Promise<void>;
  /**
   * Does one thing with many tasks, with an answer for each: see `task/actions.ts`. Rejects when `signal` aborts.
   * @param owner value of `x-execgo-owner`
   */
  actions(body: unknown, owner: string | undefined, signal: AbortSignal): Promise<BulkAnswer>;
  /** All that matters at one moment, of all tasks or of one queue; `not_found` for a queue that has neither a rule nor tasks. */
  snapshot(queue: string | undefined): Snapshot;
  /** Writes down up to which version a reader has seen a task: the present one, unless the body names another. */
  markRead(taskId: string, reader: string, body: unknown): Promise<ReadMark>;
  /** Queues that have a rule or tasks, by name. */
  queues(query: QueueQuery): QueuePage;
  /** A queue as it is now; `not_found` when it has neither a rule nor tasks. */
  queue(name: string): QueueView;
  /** Sets the rule of a queue, in the place of the one that it has; durable and in force when this resolves. */
  putQueue(name: string, body: unknown): Promise<QueueView>;
  /** Takes its rule away; `not_found` when it has none. */
  deleteQueue(name: string): Promise<void>;
  /** Sends a message of its own to see whether one arrives: see `task/notify-schema.ts`. Rejects when `signal` aborts. */
  testNotify(body: unknown, signal: AbortSignal): Promise<NotifyTestAnswer>;
  /** The schedules by name. */
  schedules(query: QueueQuery): SchedulePage;
  /** A schedule as it is now, with its last runs and its next due times. */
  schedule(name: string): ScheduleView;
  /** Makes a schedule; durable and in force when this resolves. `conflict` when the name is taken. */
  makeSchedule(body: unknown): Promise<ScheduleView>;
  /**
   * Changes a schedule by a merge patch. `conflict` when it has another version than the body names.
   * @param owner value of `x-execgo-owner`
   */
  editSchedule(name: string, body: unknown, owner: string | undefined): Promise<ScheduleView>;
  /** Deletes a schedule with its history; its tasks stay. @param owner value of `x-execgo-owner` */
  deleteSchedule(name: string, owner: string | undefined): Promise<void>;
  /** Submits the task of a schedule now. @param owner value of `x-execgo-owner` */
  runSchedule(name: string, owner: string | undefined): Promise<SubmitAnswer>;
  /** Groups of a tenant, by name. */
  groups(query: GroupQuery): GroupPage;
  /** A group as it is now, with `waitMs` when all of it has ended, or then; `not_found` when it has no task. */
  group(tenant: string | undefined, name: string, waitMs: number, signal: AbortSignal): Promise<GroupView>;
  /** Kills the tasks of a group that wait or run. */
  killGroup(
    tenant: string | undefined,
    name: string,
    options: KillOptions,
    signal: AbortSignal,
  ): Promise<GroupKillAnswer>;
  /** Runs again what of a group did not succeed. @param owner value of `x-execgo-owner` */
  retryGroup(name: string, query: GroupRetryQuery, owner: string | undefined): Promise<GroupRetryAnswer>;
  /** Removes ended tasks that are due, or says which would be; see {@link GcRequest}. */
  gc(request: GcRequest): Promise<GcReport>;
  info(): RuntimeInfo;
  capabilities(): Capabilities;
  config(): object;
  resources(): RuntimeResources;
  /** How each part is, after touching the storage; throws `unavailable` when any is not well, and says which. */
  ready(): Promise<Readiness>;
  /** Prometheus text 0.0.4. */
  metrics(): Promise<string>;
}
