import type Database from 'better-sqlite3';
import type { TaskStatus } from '../../task/states.js';
import type { LiveRecord, TaskRecord } from '../records.js';
import type { SharedPlans } from './shared-plans.js';
import { TASK_COLUMNS, toRecord, type TaskRow } from './task-row.js';

/** Finds tasks by their ids, and those that have not ended: see the methods of `Store` of the same names. */
export class TaskLookup {
  readonly #task: Database.Statement<[string], TaskRow>;
  readonly #live: Database.Statement<[], TaskRow>;
  readonly #has: Database.Statement<[string], number>;
  readonly #status: Database.Statement<[string], TaskStatus>;
  readonly #ids: Database.Statement<[string, number], string>;
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
    this.#sent = db.prepare<[string], string | null>('SELECT sent_json FROM tasks WHERE task_id = ?').pluck();
  }

  task(taskId: string): TaskRecord | undefined {
    const row = this.#task.get(taskId);
    return row === undefined ? undefined : toRecord(row);
  }

  live(): LiveRecord[] {
    return Array.from(this.#live.iterate(), (row) => {
      const record = toRecord(row) as LiveRecord;
      if (record.plan !== null)
        record.plan = this.plans.of(row['execution_plan_json'] as string, record.plan);
      return record;
    });
  }

  has(taskId: string): boolean {
    return this.#has.get(taskId) !== undefined;
  }

  status(taskId: string): TaskStatus | undefined {
    return this.#status.get(taskId);
  }

  ids(afterId: string, limit: number): string[] {
    return this.#ids.all(afterId, limit);
  }

  sent(taskId: string): string | undefined {
    return this.#sent.get(taskId) ?? undefined;
  }
}
