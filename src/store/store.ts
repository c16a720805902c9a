import fs from 'node:fs';
import type Database from 'better-sqlite3';
import { taskNotFound } from '../task/errors.js';
import type { NewEvent, TaskEvent } from '../task/events.js';
import { CommandTable } from './command-table.js';
import { CounterTable } from './counters.js';
import { emptyLogAside } from './database/empty-log-aside.js';
import { EventLog } from './event-log.js';
import { GroupCommit } from './database/group-commit.js';
import { MIGRATIONS } from './database/migrations/index.js';
import { IdempotencyKeys } from './idempotency.js';
import { AttemptTable } from './tasks/attempt-table.js';
import { Family } from './family.js';
import { ChangeList } from './tasks/change-list.js';
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
 * What there is in the database, table by table. Methods that write are synchronous and must be called in `commits.write()`; each
 * change of a task writes its events in the same transaction and returns them with their seq. Reads see what is committed and keep
 * nothing open.
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
  /** What happened. */
  readonly events: EventLog;
  /** Totals. */
  readonly counters: CounterTable;
  /** The ids of attempts: numbers that no attempt in this database has had. */
  readonly attemptIds: Pick<Sequence, 'next'>;
  /** The numbers of changes of tasks. */
  readonly versions: Pick<Sequence, 'last' | 'onNext'>;
  readonly #meta: Meta;
  /** Writes new tasks down. */
  readonly newTasks: TaskInsert;
  /** Everything that changes a task. */
  readonly changes: TaskChanges;
  /** Pages of tasks. */
  readonly list: TaskList;
  /** The tasks that changed or were deleted since a version. */
  readonly changeList: ChangeList;
  readonly #plans = new SharedPlans();
  /** Tasks by their id. */
  readonly tasks: TaskLookup;
  readonly #probe: Database.Statement<[number]>;

  constructor(db: Database.Database, clocks: ClockSources) {
    this.#db = db;
    this.#now = clocks.wallMs;
    this.events = new EventLog(db);
    this.counters = new CounterTable(db);
    const attemptIds = (this.attemptIds = new Sequence(db, 'last_launch_id'));
    const versions = (this.versions = new Sequence(db, 'last_version'));
    this.#meta = new Meta(db);
    this.kept = new KeptTasks(db, this.counters, this.#meta, clocks);
    this.keys = new IdempotencyKeys(db, this.kept.clock);
    this.queues = new QueueTable(db);
    const scheduleVersions = new Sequence(db, 'last_schedule_version');
    this.schedules = new ScheduleTable(db, scheduleVersions);
    this.queueEnds = new QueueEnds(db);
    this.attempts = new AttemptTable(db);
    this.tombstones = new Tombstones(db, versions, this.counters, this.kept.clock, clocks.wallMs);
    this.family = new Family(db);
    this.sequels = new Sequels(db, this.counters);
    this.commands = new CommandTable(db);
    this.told = new ToldEventCounts(db);
    this.sessions = new SessionTable(db, this.kept.clock);
    this.dependencies = new DependencyTable(db, this.kept.clock);
    const groups = (this.groups = new GroupTable(db));
    this.reruns = new RerunTable(db, this.events, groups, versions);
    this.newTasks = new TaskInsert(db, this.events, this.keys, this.counters, versions, this.#plans, groups);
    this.changes = new TaskChanges(
      db,
      this.events,
      this.counters,
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
    this.list = new TaskList(db);
    this.changeList = new ChangeList(this.list, this.tombstones, versions);
    const numbers = [attemptIds, versions, scheduleVersions];
    const counts = [this.events, this.counters, this.queueEnds, this.commands];
    this.commits = new GroupCommit(db, [...counts, ...numbers]);
    this.tasks = new TaskLookup(db, this.#plans);
    this.#probe = db.prepare("UPDATE meta SET value = ? WHERE key = 'probed_at_ms'");
  }

  /** Commits what is queued, then closes the database. Later writes are refused with `unavailable`. */
  close(): void {
    this.commits.close();
    this.#db.close();
  }

  /** How far a running task says that it is. Undefined: the task is at another attempt, or over. */
  markProgress(...said: Parameters<TaskChanges['progress']>) {
    return this.changes.progress(...said);
  }

  /** Events that change no state. @param session the one that the task is in. @throws ExecgoError `not_found` */
  appendEvents(taskId: string, events: NewEvent[], session?: string): TaskEvent[] {
    try {
      const written = this.events.append(taskId, events);
      const last = written.at(-1);
      if (session !== undefined && last !== undefined)
        this.sessions.changed(session, last.seq, last.timestamp_ms);
      return written;
    } catch (error) {
      throw sqliteCode(error) === 'SQLITE_CONSTRAINT_FOREIGNKEY' ? taskNotFound(taskId) : error;
    }
  }

  /** Records the group that this daemon lets through to the workspaces; undefined: none. */
  saveTaskGroup(gid: number | undefined): void {
    this.#meta.write(TASK_GROUP, gid ?? null);
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
