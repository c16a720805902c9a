import type Database from 'better-sqlite3';
import { ExecgoError } from '../../task/errors.js';
import type { NewEvent, TaskEvent } from '../../task/events.js';
import type { PlannedTask } from '../../task/plan.js';
import { canTransition } from '../../task/states.js';
import type { CounterTable } from '../counters.js';
import type { EventLog } from '../event-log.js';
import { jsonOrNull } from '../database/json.js';
import type { Dispatch, EndsFrom, Launch, PlansFrom, Start, TaskEnd } from '../records.js';
import type { RetentionClock } from '../retention-clock.js';

const LAUNCH = `launch_id = @launch_id, launch_token = @launch_token, incarnation = @incarnation,
  shim_pid = @shim_pid, updated_at_ms = @at_ms`;

/**
 * Every change of a task's state. Each UPDATE repeats the state that it starts from; zero changed rows mean that somebody
 * else was first, and then nothing else is written either.
 */
export class TaskChanges {
  readonly #plan: Database.Statement;
  readonly #dispatch: Database.Statement;
  readonly #relaunch: Database.Statement;
  readonly #start: Database.Statement;
  readonly #kill: Database.Statement;
  readonly #timeout: Database.Statement;
  readonly #finish: Database.Statement<[Record<string, unknown>], { pinned: number }>;
  readonly #warn: Database.Statement<[string, string]>;
  readonly #delete: Database.Statement<[string], { pinned: number; disk_bytes: number | null }>;

  constructor(
    db: Database.Database,
    private readonly events: EventLog,
    private readonly counters: CounterTable,
    private readonly clock: RetentionClock,
  ) {
    this.#plan = db.prepare(`UPDATE tasks SET execution_plan_json = @plan, reservation_json = @reservation
      WHERE task_id = @task_id AND status = @from AND launch_id IS @launch_id AND started_at_ms IS NULL`);
    this.#dispatch =
      db.prepare(`UPDATE tasks SET status = 'running', reserved_at_ms = @at_ms, released_at_ms = NULL,
      ${LAUNCH} WHERE task_id = @task_id AND status = 'accepted'`);
    this.#relaunch = db.prepare(`UPDATE tasks SET ${LAUNCH}
      WHERE task_id = @task_id AND status = 'running' AND launch_id = @old AND started_at_ms IS NULL`);
    this.#start = db.prepare(`UPDATE tasks SET pid = @pid, pgid = @pgid, start_ticks = @start_ticks,
      started_at_ms = @started_at_ms, updated_at_ms = @started_at_ms
      WHERE task_id = @task_id AND status = 'running' AND launch_id = @launch_id AND started_at_ms IS NULL`);
    this.#kill =
      db.prepare(`UPDATE tasks SET kill_requested = 1, kill_requested_at_ms = @at_ms, updated_at_ms = @at_ms
      WHERE task_id = @task_id AND status = @from AND kill_requested = 0`);
    this.#timeout = db.prepare(`UPDATE tasks SET timeout_triggered = 1, updated_at_ms = @at_ms
      WHERE task_id = @task_id AND status = 'running' AND launch_id = @launch_id AND timeout_triggered = 0`);
    this.#finish =
      db.prepare(`UPDATE tasks SET status = @status, cause = @cause, finished_at_ms = @finished_at_ms,
      updated_at_ms = @finished_at_ms, duration_ms = @duration_ms,
      started_at_ms = coalesce(started_at_ms, @started_at_ms), pid = coalesce(pid, @pid), pgid = coalesce(pgid, @pid),
      exit_code = @exit_code, exit_signal = @exit_signal, error_code = @error_code, error_json = @error_json,
      usage_json = @usage_json, stdout_bytes = @stdout_bytes, stderr_bytes = @stderr_bytes, warnings_json = @warnings_json,
      timeout_triggered = max(timeout_triggered, @timeout_triggered),
      released_at_ms = coalesce(released_at_ms, @released_at_ms), ages_from_ms = @ages_from_ms
      WHERE task_id = @task_id AND status = @from AND launch_id IS @launch_id RETURNING pinned`);
    this.#warn = db.prepare('UPDATE tasks SET warnings_json = ? WHERE task_id = ?');
    this.#delete = db.prepare(
      "DELETE FROM tasks WHERE task_id = ? AND status IN ('success', 'failed', 'cancelled') RETURNING pinned, disk_bytes",
    );
  }

  /** Another plan for a task that has not begun. */
  plan(
    taskId: string,
    from: PlansFrom,
    { plan, reservation }: PlannedTask,
    events: NewEvent[],
  ): TaskEvent[] | undefined {
    const values = {
      task_id: taskId,
      from: from.status,
      launch_id: from.status === 'running' ? from.launch_id : null,
      plan: JSON.stringify(plan),
      reservation: JSON.stringify(reservation),
    };
    return this.#changed(this.#plan, values, taskId, events);
  }

  /** `accepted → running`, with the reservation taken. */
  dispatch(taskId: string, dispatch: Dispatch): TaskEvent[] | undefined {
    const { events, ...launch } = dispatch;
    if (this.#dispatch.run({ ...launch, task_id: taskId }).changes === 0) return undefined;
    this.counters.entered('running');
    return this.events.append(taskId, events);
  }

  /** Another launch of a task whose launch `old` never began. */
  relaunch(taskId: string, old: number, launch: Launch): boolean {
    return this.#relaunch.run({ ...launch, task_id: taskId, old }).changes === 1;
  }

  start(taskId: string, launchId: number, start: Start): TaskEvent[] | undefined {
    const { events, ...process } = start;
    return this.#changed(this.#start, { ...process, task_id: taskId, launch_id: launchId }, taskId, events);
  }

  killRequested(
    taskId: string,
    from: 'accepted' | 'running',
    atMs: number,
    events: NewEvent[],
  ): TaskEvent[] | undefined {
    return this.#changed(this.#kill, { task_id: taskId, from, at_ms: atMs }, taskId, events);
  }

  timedOut(taskId: string, launchId: number, atMs: number, events: NewEvent[]): TaskEvent[] | undefined {
    return this.#changed(
      this.#timeout,
      { task_id: taskId, launch_id: launchId, at_ms: atMs },
      taskId,
      events,
    );
  }

  /** @throws ExecgoError `internal` for a change that the table of states does not have */
  finish(taskId: string, from: EndsFrom, end: TaskEnd): TaskEvent[] | undefined {
    if (!canTransition(from.status, end.status))
      throw new ExecgoError('internal', `a task does not go from ${from.status} to ${end.status}`);
    const ended = this.#finish.get({
      task_id: taskId,
      from: from.status,
      launch_id: from.status === 'running' ? from.launch_id : null,
      status: end.status,
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
      timeout_triggered: end.timeout_triggered === true ? 1 : 0,
      released_at_ms: end.released_at_ms ?? null,
      ages_from_ms: this.clock.now(),
    });
    if (ended === undefined) return undefined;
    this.counters.entered(end.status);
    if (ended.pinned === 0) this.counters.kept();
    if (end.error !== undefined) this.counters.error(end.error.code);
    if (from.status === 'running') this.counters.duration(end.duration_ms);
    return this.events.append(taskId, end.events);
  }

  warn(taskId: string, warnings: readonly string[]): void {
    this.#warn.run(JSON.stringify(warnings), taskId);
  }

  /** Terminal tasks only; their events go with them. */
  delete(taskId: string): boolean {
    const deleted = this.#delete.get(taskId);
    if (deleted?.pinned === 0) this.counters.removed(deleted.disk_bytes ?? 0);
    return deleted !== undefined;
  }

  #changed(
    update: Database.Statement,
    values: Record<string, unknown>,
    taskId: string,
    events: NewEvent[],
  ): TaskEvent[] | undefined {
    return update.run(values).changes === 0 ? undefined : this.events.append(taskId, events);
  }
}
