import type Database from 'better-sqlite3';
import { submissionParts } from '../../task/request.js';
import type { TaskStatus } from '../../task/states.js';
import type { LiveRecord, TaskRecord } from '../records.js';
import type { SharedPlans } from './shared-plans.js';
import { TASK_COLUMNS, toRecord, type TaskRow } from './task-row.js';

/** For whom a task counts, as it was written down beside its request. An older database may hold anything. */
type ContextRow = Record<
  'tenant' | 'owner' | 'queue' | 'lane' | 'group_name' | 'parent_task_id' | 'session_id',
  unknown
>;

/** Finds tasks by their ids, and those that have not ended. */
export class TaskLookup {
  readonly #task: Database.Statement<[string], TaskRow>;
  readonly #live: Database.Statement<[], TaskRow>;
  readonly #has: Database.Statement<[string], number>;
  readonly #status: Database.Statement<[string], TaskStatus>;
  readonly #ids: Database.Statement<[string, number], string>;
  readonly #context: Database.Statement<[string], ContextRow>;
  readonly #sent: Database.Statement<[string], string | null>;

  constructor(
    db: Database.Database,
    private readonly plans: SharedPlans,
  ) {
    this.#task = db.prepare(`SELECT ${TASK_COLUMNS} FROM tasks WHERE task_id = ?`);
    const live = (status: string) =>
      `SELECT ${TASK_COLUMNS} FROM tasks INDEXED BY idx_tasks_status WHERE status = '${status}'`;
    this.#live = db.prepare(`${live('accepted')} UNION ALL ${live('running')} ORDER BY submit_seq`);
    this.#has = db.prepare<[string], number>('SELECT 1 FROM tasks WHERE task_id = ?').pluck();
    this.#status = db.prepare<[string], TaskStatus>('SELECT status FROM tasks WHERE task_id = ?').pluck();
    this.#ids = db
      .prepare<[string, number], string>(
        'SELECT task_id FROM tasks WHERE task_id > ? ORDER BY task_id LIMIT ?',
      )
      .pluck();
    // The session is that of its name which was there when the task came.
    this.#context = db.prepare(`SELECT tenant, owner, queue, lane, group_name, parent_task_id,
        (SELECT session_id FROM sessions WHERE sessions.session_id = tasks.session_id
          AND sessions.born_seq < tasks.submit_seq AND sessions.tenant IS tasks.tenant) AS session_id
      FROM tasks WHERE task_id = ?`);
    this.#sent = db.prepare<[string], string | null>('SELECT sent_json FROM tasks WHERE task_id = ?').pluck();
  }

  get(taskId: string): TaskRecord | undefined {
    const row = this.#task.get(taskId);
    return row === undefined ? undefined : this.#counted(row, toRecord(row));
  }

  /** Every task that waits or runs, in the order of submission. */
  live(): LiveRecord[] {
    return Array.from(this.#live.iterate(), (row) => {
      const record = this.#counted(row, toRecord(row)) as LiveRecord;
      if (record.plan !== null)
        record.plan = this.plans.of(row['execution_plan_json'] as string, record.plan);
      return record;
    });
  }

  /**
   * A task whose request cannot be read still counts for whom it was accepted, and holds the turn of its session: its columns say so.
   */
  #counted({ request_json }: TaskRow, record: TaskRecord): TaskRecord {
    if (record.request_problem === undefined || request_json === null) return record;
    const columns = this.#context.get(record.task_id);
    if (columns === undefined) return record;
    const { group_name: group, session_id, ...rest } = columns;
    const given = Object.entries({ ...rest, group, session_id }).filter(
      ([, value]) => typeof value === 'string',
    );
    if (given.length === 0) return record;
    const control_context = {
      ...(record.request.control_context ?? submissionParts.ControlContext.parse({})),
      ...Object.fromEntries(given),
    };
    const session = typeof session_id === 'string' ? { in_session: true as const } : {};
    record.request = { ...record.request, control_context, ...session };
    return record;
  }

  /** True when there is such a task; cheaper than reading it. */
  has(taskId: string): boolean {
    return this.#has.get(taskId) !== undefined;
  }

  /** Status of a task, undefined for an unknown one; cheaper than reading the task. */
  status(taskId: string): TaskStatus | undefined {
    return this.#status.get(taskId);
  }

  /** A page of the ids of all tasks in their own order: those after `afterId`. */
  ids(afterId: string, limit: number): string[] {
    return this.#ids.all(afterId, limit);
  }

  /** The submit body of a task as it was sent; undefined for an unknown task, and for a task of an earlier version. */
  sent(taskId: string): string | undefined {
    return this.#sent.get(taskId) ?? undefined;
  }
}
