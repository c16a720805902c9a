import type Database from 'better-sqlite3';
import type { NewEvent, TaskEvent } from '../../task/events.js';
import type { KillNote } from '../../task/kill-note.js';
import type { PlannedTask } from '../../task/plan.js';
import type { KeptProgress } from '../../task/progress.js';
import type { Change, TerminalStatus } from '../../task/states.js';
import type { CounterTable } from '../counters.js';
import type { EventLog } from '../event-log.js';
import type { Sequence } from '../sequence.js';
import { jsonOrNull } from '../database/json.js';
import type { DependencyTable } from '../dependency-table.js';
import type { GroupTable } from '../group-table.js';
import type { QueueEnds } from '../queue-ends.js';
import type { DeletedRow as Whose, Tombstones } from '../tombstones.js';
import { queueOf } from '../../task/request.js';
import { endOf } from '../records.js';
import type {
  Changed,
  Dispatch,
  EndedTask,
  Attempt,
  LiveRecord,
  Retry,
  RunningTask,
  Start,
  Edit,
  TaskEnd,
  TaskRecord,
  WaitingTask,
} from '../records.js';
import type { Caused, Sequels } from '../sequels.js';
import type { RetentionClock } from '../retention-clock.js';
import type { SessionTable } from '../session-table.js';
import { sessionOf } from '../../task/session-of.js';
import type { AttemptTable } from './attempt-table.js';
import { isPinned } from './task-insert.js';
import { Step, type Place } from './step.js';
import { readState, stateRow, withState } from './task-row.js';

const LAUNCH = `launch_id = @launch_id, launch_token = @launch_token, incarnation = @incarnation,
  shim_pid = @shim_pid, updated_at_ms = @at_ms`;

/** What is to end does not stand still any more. */
const GOES_ON = 'paused_at_ms = NULL';

/** What only a task has that waits. */
const WAITS_NO_MORE = 'eligible_ms = NULL';

const NOT_BEGUN = 'started_at_ms IS NULL';
const AWAITS_NONE = 'NOT EXISTS (SELECT 1 FROM dependencies WHERE task_id = tasks.task_id)';

type DeletedRow = Place &
  Whose &
  Caused & {
    status: TerminalStatus;
    pinned: number;
    disk_bytes: number | null;
    retried_as: unknown;
  };

/**
 * Every change of a task's state. Each UPDATE repeats the state that it starts from; if no row changed, somebody else was
 * first, and nothing else is written either.
 */
export class TaskChanges {
  readonly #plan: Step;
  readonly #edit: Step;
  readonly #release: Step;
  readonly #dispatch: Step;
  readonly #relaunch: Step;
  readonly #start: Step;
  readonly #progress: Step;
  readonly #pause: Step;
  readonly #resume: Step;
  readonly #kill: Step;
  readonly #timeOut: Step;
  readonly #retry: Step;
  readonly #end: Step;
  readonly #startAndEnd: Step;
  readonly #warn: Database.Statement<[string, string]>;
  readonly #delete: Database.Statement<[string], DeletedRow>;

  constructor(
    db: Database.Database,
    private readonly events: EventLog,
    private readonly counters: CounterTable,
    private readonly queueEnds: QueueEnds,
    private readonly dependencies: DependencyTable,
    private readonly groups: GroupTable,
    private readonly clock: RetentionClock,
    versions: Sequence,
    private readonly attempts: AttemptTable,
    private readonly tombstones: Tombstones,
    private readonly sequels: Sequels,
    private readonly sessions: SessionTable,
  ) {
    const step = (change: Change, set: string, guard?: string) => new Step(db, versions, change, set, guard);
    this.#plan = step('plan', 'execution_plan_json = @plan, reservation_json = @reservation', NOT_BEGUN);
    this.#edit = step(
      'edit',
      `priority = @priority, queue = @queue, lane = @lane, pinned = @pinned, request_json = @request, sent_json = @sent,
      execution_plan_json = @plan, reservation_json = @reservation, eligible_ms = @eligible_ms, updated_at_ms = @at_ms`,
      'version = @from_version',
    );
    this.#release = step('release', 'eligible_ms = @eligible_ms, updated_at_ms = @at_ms', AWAITS_NONE);
    this.#dispatch = step(
      'dispatch',
      `reserved_at_ms = @at_ms, released_at_ms = NULL, items_json = @items, ${WAITS_NO_MORE}, ${LAUNCH}`,
    );
    this.#relaunch = step('relaunch', LAUNCH, NOT_BEGUN);
    this.#start = step(
      'start',
      `pid = @pid, pgid = @pgid, start_ticks = @start_ticks, started_at_ms = @started_at_ms,
      updated_at_ms = @started_at_ms`,
      NOT_BEGUN,
    );
    this.#progress = step('progress', 'progress_json = @progress, updated_at_ms = @at_ms');
    this.#pause = step(
      'pause',
      'paused_at_ms = @at_ms, updated_at_ms = @at_ms',
      'paused_at_ms IS NULL AND kill_requested = 0 AND timeout_triggered = 0 AND started_at_ms IS NOT NULL',
    );
    this.#resume = step('resume', `${GOES_ON}, updated_at_ms = @at_ms`, 'paused_at_ms IS NOT NULL');
    this.#kill = step(
      'requestKill',
      `kill_requested = 1, kill_requested_at_ms = @at_ms, kill_json = @note, updated_at_ms = @at_ms, ${GOES_ON}`,
      'kill_requested = 0',
    );
    this.#timeOut = step(
      'timeOut',
      `timeout_triggered = 1, updated_at_ms = @at_ms, ${GOES_ON}`,
      'timeout_triggered = 0',
    );
    this.#retry = step(
      'retry',
      `${GOES_ON}, past_attempts = past_attempts + 1, eligible_ms = @eligible_ms, updated_at_ms = @at_ms,
      request_json = coalesce(@request, request_json), execution_plan_json = @plan, reservation_json = @reservation,
      launch_id = NULL, launch_token = NULL, incarnation = NULL, shim_pid = NULL, started_at_ms = NULL,
      pid = NULL, pgid = NULL, start_ticks = NULL, items_json = NULL, progress_json = NULL, timeout_triggered = 0, released_at_ms = @at_ms`,
      'kill_requested = 0 AND past_attempts = @past_attempts',
    );
    const ended = `${GOES_ON}, ${WAITS_NO_MORE}, cause = @cause, finished_at_ms = @finished_at_ms, updated_at_ms = @finished_at_ms, duration_ms = @duration_ms,
      started_at_ms = coalesce(started_at_ms, @started_at_ms), pid = coalesce(pid, @pid), pgid = coalesce(pgid, @pid),
      exit_code = @exit_code, exit_signal = @exit_signal, error_code = @error_code, error_json = @error_json,
      usage_json = @usage_json, stdout_bytes = @stdout_bytes, stderr_bytes = @stderr_bytes, warnings_json = @warnings_json,
      released_at_ms = coalesce(released_at_ms, @released_at_ms), ages_from_ms = @ages_from_ms, notices = @notices,
      follow_ups = @follow_ups`;
    this.#end = step('end', ended);
    this.#startAndEnd = step('end', ended, NOT_BEGUN);
    this.#warn = db.prepare('UPDATE tasks SET warnings_json = ? WHERE task_id = ?');
    this.#delete = db.prepare(
      `DELETE FROM tasks WHERE task_id = ? AND status IN ('success', 'failed', 'cancelled')
      AND NOT EXISTS (SELECT 1 FROM dependencies WHERE after_id = tasks.task_id)
      RETURNING status, pinned, disk_bytes, queue, lane, tenant, owner, session_id, notices, follow_ups, group_name, retried_as`,
    );
  }

  /** Replaces the plan of a task that has not begun. Undefined: it has begun, or is over. */
  plan<T extends LiveRecord>(task: T, planned: PlannedTask, events: NewEvent[]): Changed<T> | undefined {
    const values = { plan: JSON.stringify(planned.plan), reservation: JSON.stringify(planned.reservation) };
    return this.#changed(this.#plan, { ...task, ...planned }, values, events);
  }

  /** Replaces what an edit changes of a waiting task. Undefined: it has been changed meanwhile, or does not wait. */
  edit(task: WaitingTask, { request, plan, reservation, ...edit }: Edit): Changed<WaitingTask> | undefined {
    const { policy, control_context: context, metadata } = request;
    const values = {
      from_version: task.version,
      priority: policy.priority,
      queue: queueOf(request),
      lane: context?.lane ?? null,
      pinned: isPinned(metadata) ? 1 : 0,
      request: JSON.stringify(request),
      sent: edit.sent_json,
      plan: JSON.stringify(plan),
      reservation: JSON.stringify(reservation),
      eligible_ms: edit.eligible_ms ?? null,
      at_ms: edit.at_ms,
    };
    const changed = this.#changed(this.#edit, { ...task, request, plan, reservation }, values, edit.events);
    if (changed !== undefined && edit.open !== undefined) this.dependencies.set(task.task_id, edit.open);
    return changed;
  }

  /** All that a waiting task has waited for is there. Undefined: it was before, or the task does not wait. */
  release(task: WaitingTask, atMs: number, event: NewEvent): Changed<WaitingTask> | undefined {
    return this.#changed(this.#release, task, { at_ms: atMs, eligible_ms: this.clock.now() }, [event]);
  }

  /** `accepted → running`, with its reservation. Undefined: somebody else was first. */
  dispatch(task: WaitingTask, { events, items, ...launch }: Dispatch): Changed<RunningTask> | undefined {
    const row = this.#dispatch.make(task, 'running', { ...launch, items: jsonOrNull(items) });
    if (row === undefined) return undefined;
    this.counters.entered('running');
    return this.#told<RunningTask>(task, row, events);
  }

  /** Another attempt of a running task whose attempt never began. Undefined: it has, or somebody else was first. */
  relaunch(task: RunningTask, launch: Attempt): Changed<RunningTask> | undefined {
    return this.#changed(this.#relaunch, task, { ...launch }, []);
  }

  /** The process of the attempt runs. Undefined: that was told before, or the task is at another attempt, or over. */
  start(task: RunningTask, { events, ...process }: Start): Changed<RunningTask> | undefined {
    return this.#changed(this.#start, task, { ...process }, events);
  }

  /** Undefined: no longer in that status, or requested before. */
  killRequested<T extends LiveRecord>(
    task: T,
    atMs: number,
    note: KillNote | undefined,
    events: NewEvent[],
  ): Changed<T> | undefined {
    return this.#changed(this.#kill, task, { at_ms: atMs, note: jsonOrNull(note) }, events);
  }

  progress(task: RunningTask, said: KeptProgress, events: NewEvent[]): Changed<RunningTask> | undefined {
    const values = { progress: JSON.stringify(said), at_ms: said.at_ms };
    return this.#changed(this.#progress, task, values, events);
  }

  /** Undefined: paused before, not started, or to end. */
  pause(task: RunningTask, atMs: number, events: NewEvent[]): Changed<RunningTask> | undefined {
    return this.#changed(this.#pause, task, { at_ms: atMs }, events);
  }

  /** Undefined: it is not paused, or over. */
  resume(task: RunningTask, atMs: number, events: NewEvent[]): Changed<RunningTask> | undefined {
    return this.#changed(this.#resume, task, { at_ms: atMs }, events);
  }

  /** The attempt's wall time passed. Undefined: that was told before, or the task is at another attempt, or over. */
  timedOut(task: RunningTask, atMs: number, events: NewEvent[]): Changed<RunningTask> | undefined {
    return this.#changed(this.#timeOut, task, { at_ms: atMs }, events);
  }

  /**
   * `running → accepted`, with the attempt that has failed and the release: it waits for another. Undefined: a kill was requested, or
   * somebody else was first.
   */
  retry(
    task: RunningTask,
    { ended, request, plan, reservation, events, ...times }: Retry,
  ): Changed<WaitingTask> | undefined {
    const { launch_id } = task.attempt;
    if (launch_id === null) return undefined;
    const row = this.#retry.make(task, 'accepted', {
      ...times,
      past_attempts: ended.attempt - 1,
      request: request === task.request ? null : JSON.stringify(request),
      plan: JSON.stringify(plan),
      reservation: JSON.stringify(reservation),
    });
    if (row === undefined) return undefined;
    this.attempts.insert(task.task_id, launch_id, ended);
    this.counters.entered('accepted');
    this.counters.retry(ended.cause);
    return this.#told<WaitingTask>({ ...task, request, plan, reservation }, row, events);
  }

  /**
   * The terminal state, the release and the counters. `updated_at_ms` becomes `finished_at_ms`. Undefined: somebody else was first.
   * @param start the events of a start that is not written yet; if it is after all, only the end is written
   * @throws ExecgoError `internal` for a change that the table of changes does not have
   */
  end(task: LiveRecord, end: TaskEnd, start?: NewEvent[]): Changed<EndedTask> | undefined {
    const values = {
      cause: end.cause,
      finished_at_ms: end.finished_at_ms,
      duration_ms: end.duration_ms,
      started_at_ms: end.started_at_ms ?? null,
      pid: end.pid ?? null,
      exit_code: end.exit_code ?? null,
      exit_signal: end.exit_signal ?? null,
      error_code: end.error?.code ?? null,
      error_json: jsonOrNull(end.error),
      usage_json: jsonOrNull(end.usage),
      stdout_bytes: end.stdout_bytes,
      stderr_bytes: end.stderr_bytes,
      warnings_json: jsonOrNull(end.warnings),
      released_at_ms: end.released_at_ms ?? null,
      ages_from_ms: this.clock.now(),
      notices: end.notices ?? 0,
      follow_ups: end.follow_ups ?? 0,
    };
    const both = start && this.#startAndEnd.make(task, end.status, values);
    const row = both ?? this.#end.make(task, end.status, values);
    if (row === undefined) return undefined;
    this.counters.entered(end.status);
    const [queue, lane, tenant, group_name, pinned] = row.slice(-5);
    this.queueEnds.ended(queue, lane, end.status);
    if (pinned === 0) this.counters.kept();
    if (end.error !== undefined) this.counters.error(end.error.code);
    if (task.status === 'running') this.counters.duration(end.duration_ms);
    else if (task.request.policy.after !== undefined) this.dependencies.clear(task.task_id);
    return this.#told<EndedTask>(task, row, [
      ...(both === undefined ? [] : (start ?? [])),
      ...end.events,
      ...this.groups.ended({ tenant, group_name }, end),
    ]);
  }

  /** Records which of a task's files could not be kept or written. To be called in the transaction of its end. */
  warn(taskId: string, warnings: readonly string[]): void {
    this.#warn.run(JSON.stringify(warnings), taskId);
  }

  /**
   * Deletes a terminal task with its events; its idempotency key stays. False: unknown, not terminal, or others that wait for it are
   * still to be told.
   */
  delete(taskId: string): boolean {
    const deleted = this.#delete.get(taskId);
    if (deleted === undefined) return false;
    this.tombstones.add(taskId, deleted);
    this.queueEnds.deleted(deleted.queue, deleted.lane, deleted.status);
    this.sequels.forget(taskId, deleted);
    this.dependencies.remember(taskId, deleted.status);
    this.groups.deleted(deleted, deleted.retried_as === null ? deleted.status : 'retried');
    if (deleted.pinned === 0) this.counters.removed(deleted.disk_bytes ?? 0);
    return true;
  }

  /** A change that leaves the status as it is. */
  #changed<T extends LiveRecord>(
    step: Step,
    task: T,
    values: Record<string, unknown>,
    events: NewEvent[],
  ): Changed<T> | undefined {
    const row = step.make(task, task.status, values);
    return row === undefined ? undefined : this.#told<T>(task, row, events);
  }

  /** The task as its row says that it is now. */
  #told<T extends TaskRecord>(before: LiveRecord, row: unknown[], events: NewEvent[]): Changed<T> {
    const task = withState(before, readState(stateRow(row))) as T;
    const written = this.events.append(before.task_id, events);
    if (before.request.in_session === true) this.#tellSession(task, written);
    return { task, events: written };
  }

  #tellSession(task: TaskRecord, events: readonly TaskEvent[]): void {
    const session = sessionOf(task.request);
    const end = endOf(task)?.status;
    if (session !== undefined)
      this.sessions.changed(session, events.at(-1)?.seq ?? 0, task.updated_at_ms, end);
  }
}
