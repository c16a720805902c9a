import fs from 'node:fs';
import type Database from 'better-sqlite3';
import { taskNotFound } from '../task/errors.js';
import type { EventFilter, NewEvent, TaskEvent } from '../task/events.js';
import type { KillNote } from '../task/kill-note.js';
import type { PlannedTask } from '../task/plan.js';
import type { ChangesQuery, ListQuery } from '../task/list.js';
import type { TaskStatus } from '../task/states.js';
import { CommandTable } from './command-table.js';
import { CounterTable, type Counters } from './counters.js';
import { emptyLogAside } from './database/empty-log-aside.js';
import { EventLog } from './event-log.js';
import { GroupCommit } from './database/group-commit.js';
import { MIGRATIONS } from './database/migrations/index.js';
import { IdempotencyKeys } from './idempotency.js';
import { AttemptTable } from './tasks/attempt-table.js';
import { Family } from './family.js';
import { ChangeList, type ChangesPage } from './tasks/change-list.js';
import { LastEnded } from './tasks/last-ended.js';
import { KeptTasks } from './tasks/kept-tasks.js';
import { RerunTable } from './tasks/rerun-table.js';
import { DependencyTable } from './dependency-table.js';
import { GroupTable } from './group-table.js';
import { QueueEnds } from './queue-ends.js';
import { ScheduleTable } from './schedule-table.js';
import { QueueTable } from './queue-table.js';
import { Meta, TASK_GROUP } from './database/meta.js';
import { ReadMarks } from './read-marks.js';
import type * as records from './records.js';
import type { ClockSources } from './retention-clock.js';
import { SessionTable } from './session-table.js';
import { Sequels } from './sequels.js';
import { Sequence } from './sequence.js';
import { sqliteCode, storageError } from './database/sqlite-error.js';
import { SupervisorTable } from './supervisor-table.js';
import { TaskChanges } from './tasks/task-changes.js';
import { SharedPlans } from './tasks/shared-plans.js';
import { TaskInsert } from './tasks/task-insert.js';
import { TaskList } from './tasks/task-list.js';
import { TaskLookup } from './tasks/task-lookup.js';
import { ToldEventCounts } from './told-events.js';
import { Tombstones } from './tombstones.js';

/**
 * The tasks in the database. Methods that write are synchronous and must be called in `commits.write()`; each writes its
 * events in the same transaction and returns them with their seq. Reads see what is committed and keep nothing open.
 */
export class Store {
  readonly commits: GroupCommit;
  /** The tasks that have ended, by age. */
  readonly kept: KeptTasks;
  readonly keys: IdempotencyKeys;
  /** Attempts that were not the last of their task. */
  readonly attempts: AttemptTable;
  /** Parents and children. */
  readonly family: Family;
  /** What ends have caused. */
  readonly sequels: Sequels;
  /** What tasks have added to their histories. */
  readonly told: ToldEventCounts;
  /** What clients say to tasks. */
  readonly commands: CommandTable;
  readonly supervisors: SupervisorTable;
  /** What readers have seen. */
  readonly readMarks: ReadMarks;
  /** The tasks that ended last. */
  readonly lastEnded: LastEnded;
  /** Which tasks were deleted. */
  readonly tombstones: Tombstones;
  /** The rules of queues. */
  readonly queues: QueueTable;
  readonly schedules: ScheduleTable;
  /** How many ended tasks each queue has. */
  readonly queueEnds: QueueEnds;
  readonly sessions: SessionTable;
  /** What tasks wait for of each other. */
  readonly dependencies: DependencyTable;
  /** How many tasks of each group there are. */
  readonly groups: GroupTable;
  /** Which task is run again by which. */
  readonly reruns: RerunTable;
  readonly #db: Database.Database;
  /** The last change of the schema. */
  readonly migration = MIGRATIONS.length;
  readonly #now: () => number;
  readonly #events: EventLog;
  readonly #counters: CounterTable;
  readonly #attemptIds: Sequence;
  /** The numbers of changes. */
  readonly #versions: Sequence;
  readonly #meta: Meta;
  readonly #insert: TaskInsert;
  readonly #changes: TaskChanges;
  readonly #list: TaskList;
  readonly #changesList: ChangeList;
  readonly #plans = new SharedPlans();
  readonly #lookup: TaskLookup;
  readonly #probe: Database.Statement<[number]>;

  constructor(db: Database.Database, clocks: ClockSources) {
    this.#db = db;
    this.#now = clocks.wallMs;
    this.#events = new EventLog(db);
    this.#counters = new CounterTable(db);
    this.#attemptIds = new Sequence(db, 'last_launch_id');
    const versions = (this.#versions = new Sequence(db, 'last_version'));
    this.#meta = new Meta(db);
    this.kept = new KeptTasks(db, this.#counters, this.#meta, clocks);
    this.keys = new IdempotencyKeys(db, this.kept.clock);
    this.queues = new QueueTable(db);
    const scheduleVersions = new Sequence(db, 'last_schedule_version');
    this.schedules = new ScheduleTable(db, scheduleVersions);
    this.queueEnds = new QueueEnds(db);
    this.attempts = new AttemptTable(db);
    this.tombstones = new Tombstones(db, versions, this.#counters, this.kept.clock, clocks.wallMs);
    this.family = new Family(db);
    this.sequels = new Sequels(db, this.#counters);
    this.commands = new CommandTable(db);
    this.told = new ToldEventCounts(db);
    this.sessions = new SessionTable(db, this.kept.clock);
    this.dependencies = new DependencyTable(db, this.kept.clock);
    const groups = (this.groups = new GroupTable(db));
    this.reruns = new RerunTable(db, this.#events, groups, versions);
    this.#insert = new TaskInsert(db, this.#events, this.keys, this.#counters, versions, this.#plans, groups);
    this.#changes = new TaskChanges(
      db,
      this.#events,
      this.#counters,
      this.queueEnds,
      this.dependencies,
      this.groups,
      this.kept.clock,
      versions,
      this.attempts,
      this.tombstones,
      this.sequels,
      this.sessions,
    );
    this.supervisors = new SupervisorTable(db);
    this.readMarks = new ReadMarks(db);
    this.lastEnded = new LastEnded(db);
    this.#list = new TaskList(db);
    this.#changesList = new ChangeList(this.#list, this.tombstones, versions);
    const numbers = [this.#attemptIds, versions, scheduleVersions];
    const counts = [this.#events, this.#counters, this.queueEnds, this.commands];
    this.commits = new GroupCommit(db, [...counts, ...numbers]);
    this.#lookup = new TaskLookup(db, this.#plans);
    this.#probe = db.prepare("UPDATE meta SET value = ? WHERE key = 'probed_at_ms'");
  }

  /** Commits what is queued, then closes the database. Later writes are refused with `unavailable`. */
  close(): void {
    this.commits.close();
    this.#db.close();
  }

  /**
   * Writes a new task as `accepted`. `inserted: false` is an idempotent replay.
   * @throws ExecgoError `conflict` when the id is taken, or the key with another request
   */
  insertTask(task: records.NewTask): records.InsertResult {
    return this.#insert.insert(task);
  }

  /** The submit body of a task as it was sent; undefined for an unknown task, and for a task of an earlier version. */
  sentRequest(taskId: string): string | undefined {
    return this.#lookup.sent(taskId);
  }

  /** The id for a new attempt: a number that no attempt in this database has had. */
  nextLaunchId(): number {
    return this.#attemptIds.next();
  }

  /** Replaces the plan of a task that has not begun. Undefined: it has begun, or is over. */
  markPlanned<T extends records.LiveRecord>(
    task: T,
    planned: PlannedTask,
    events: NewEvent[],
  ): records.Changed<T> | undefined {
    return this.#changes.plan(task, planned, events);
  }

  /** Replaces what an edit changes of a waiting task. Undefined: it has been changed meanwhile, or does not wait. */
  markEdited(
    task: records.WaitingTask,
    edit: records.Edit,
  ): records.Changed<records.WaitingTask> | undefined {
    return this.#changes.edit(task, edit);
  }

  /** All that a waiting task has waited for is there. Undefined: it was before, or the task does not wait. */
  markEligible(
    task: records.WaitingTask,
    atMs: number,
    event: NewEvent,
  ): records.Changed<records.WaitingTask> | undefined {
    return this.#changes.release(task, atMs, event);
  }

  /** `accepted → running`, with its reservation. Undefined: somebody else was first. */
  markDispatched(
    task: records.WaitingTask,
    dispatch: records.Dispatch,
  ): records.Changed<records.RunningTask> | undefined {
    return this.#changes.dispatch(task, dispatch);
  }

  /** Another attempt of a running task whose attempt never began. Undefined: it has, or somebody else was first. */
  markRelaunched(
    task: records.RunningTask,
    launch: records.Attempt,
  ): records.Changed<records.RunningTask> | undefined {
    return this.#changes.relaunch(task, launch);
  }

  /** The process of the attempt runs. Undefined: that was told before, or the task is at another attempt, or over. */
  markStarted(
    task: records.RunningTask,
    start: records.Start,
  ): records.Changed<records.RunningTask> | undefined {
    return this.#changes.start(task, start);
  }

  /** Undefined: no longer in that status, or requested before. */
  markKillRequested<T extends records.LiveRecord>(
    task: T,
    atMs: number,
    note: KillNote | undefined,
    events: NewEvent[],
  ): records.Changed<T> | undefined {
    return this.#changes.killRequested(task, atMs, note, events);
  }

  /** How far a running task says that it is. Undefined: the task is at another attempt, or over. */
  markProgress(...said: Parameters<TaskChanges['progress']>) {
    return this.#changes.progress(...said);
  }

  /** Undefined: paused before, not started, or to end. */
  markPaused(
    task: records.RunningTask,
    atMs: number,
    events: NewEvent[],
  ): records.Changed<records.RunningTask> | undefined {
    return this.#changes.pause(task, atMs, events);
  }

  /** Undefined: it is not paused, or over. */
  markResumed(
    task: records.RunningTask,
    atMs: number,
    events: NewEvent[],
  ): records.Changed<records.RunningTask> | undefined {
    return this.#changes.resume(task, atMs, events);
  }

  /** The attempt's wall time passed. Undefined: that was told before, or the task is at another attempt, or over. */
  markTimeout(
    task: records.RunningTask,
    atMs: number,
    events: NewEvent[],
  ): records.Changed<records.RunningTask> | undefined {
    return this.#changes.timedOut(task, atMs, events);
  }

  /** `running → accepted`: it waits for another attempt. Undefined: a kill was requested, or somebody else was first. */
  markRetry(
    task: records.RunningTask,
    retry: records.Retry,
  ): records.Changed<records.WaitingTask> | undefined {
    return this.#changes.retry(task, retry);
  }

  /**
   * The terminal state, the release and the counters. `updated_at_ms` becomes `finished_at_ms`. Undefined: somebody else
   * was first.
   * @param start the events of a start that is to be written with it; if it was written before, they are not
   * @throws ExecgoError `internal` for a change that the table of changes does not have
   */
  finish(
    task: records.LiveRecord,
    end: records.TaskEnd,
    start?: NewEvent[],
  ): records.Changed<records.EndedTask> | undefined {
    return this.#changes.end(task, end, start);
  }

  /** Events that change no state. @param session the one that the task is in. @throws ExecgoError `not_found` */
  appendEvents(taskId: string, events: NewEvent[], session?: string): TaskEvent[] {
    try {
      const written = this.#events.append(taskId, events);
      const last = written.at(-1);
      if (session !== undefined && last !== undefined)
        this.sessions.changed(session, last.seq, last.timestamp_ms);
      return written;
    } catch (error) {
      throw sqliteCode(error) === 'SQLITE_CONSTRAINT_FOREIGNKEY' ? taskNotFound(taskId) : error;
    }
  }

  /** Records which of a task's files could not be kept or written. To be called in the transaction of its end. */
  setWarnings(taskId: string, warnings: readonly string[]): void {
    this.#changes.warn(taskId, warnings);
  }

  /**
   * Deletes a terminal task with its events; its idempotency key stays. False: unknown, not terminal, or others that wait for it
   * are still to be told.
   */
  deleteTask(taskId: string): boolean {
    return this.#changes.delete(taskId);
  }

  task(taskId: string): records.TaskRecord | undefined {
    return this.#lookup.task(taskId);
  }

  /** Every task that waits or runs, in the order of submission. */
  liveTasks(): records.LiveRecord[] {
    return this.#lookup.live();
  }

  /** Events of one task with `seq > afterSeq`; all of them without a limit. Empty for an unknown task. */
  taskEvents(taskId: string, afterSeq: number, limit: number | undefined): TaskEvent[] {
    return this.#events.ofTask(taskId, afterSeq, limit);
  }

  /** Events of all tasks with `seq > afterSeq`. */
  events(afterSeq: number, limit: number): TaskEvent[] {
    return this.#events.ofAll(afterSeq, limit);
  }

  /** Events with `seq > afterSeq` that pass, and up to which seq all were looked at: see {@link EventLog.where}. */
  eventsWhere(filter: EventFilter, afterSeq: number, limit: number, signal?: AbortSignal) {
    return this.#events.where(filter, afterSeq, limit, signal);
  }

  /** Seq of the newest committed event, 0 when there has been none; from memory. */
  lastSeq(): number {
    return this.#events.last;
  }

  /** @throws ExecgoError `invalid_input` for a cursor that no list returned, or a limit below 1 */
  list(query: ListQuery, signal?: AbortSignal): Promise<records.TaskListPage> {
    return this.#list.page(query, signal);
  }

  /**
   * The tasks that changed or were deleted since a version: see {@link ChangeList}.
   * @throws ExecgoError `gone` when not all of them are known any more; `invalid_input` for a cursor that no page returned
   */
  changes(query: ChangesQuery, signal?: AbortSignal): Promise<ChangesPage> {
    return this.#changesList.page(query, signal);
  }

  /** The number of the last committed change of a task; from memory. */
  lastVersion(): number {
    return this.#versions.last;
  }

  /** Calls back once, after the next commit that changes a task. @returns what takes that back */
  onNextVersion(listener: () => void): () => void {
    return this.#versions.onNext(listener);
  }

  /** True when there is such a task; cheaper than reading it. */
  has(taskId: string): boolean {
    return this.#lookup.has(taskId);
  }

  /** Status of a task, undefined for an unknown one; cheaper than reading the task. */
  status(taskId: string): TaskStatus | undefined {
    return this.#lookup.status(taskId);
  }

  /** A page of the ids of all tasks in their own order: those after `afterId`. */
  taskIds(afterId: string, limit: number): string[] {
    return this.#lookup.ids(afterId, limit);
  }

  /** Records the group that this daemon lets through to the workspaces; undefined: none. */
  saveTaskGroup(gid: number | undefined): void {
    this.#meta.write(TASK_GROUP, gid ?? null);
  }

  /** Committed totals, from memory. */
  counters(): Counters {
    return this.#counters.read();
  }

  /**
   * Writes and commits something small.
   * @throws ExecgoError `insufficient_storage` or `unavailable`
   */
  probe(): void {
    try {
      this.#probe.run(this.#now());
    } catch (error) {
      throw storageError(error);
    }
  }

  /** Length of the write-ahead log in bytes. */
  walBytes(): number {
    return fs.statSync(`${this.#db.name}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }

  /**
   * Moves the write-ahead log into the database and empties it, in a worker thread. False: another connection was in the
   * way.
   */
  emptyLog(): Promise<boolean> {
    return emptyLogAside(this.#db.name);
  }
}
