import type Database from 'better-sqlite3';
import type { TaskRecord } from '../records.js';
import { TASK_COLUMNS, toRecord, type TaskRow } from './task-row.js';

/** How many tasks are looked at for those of one queue: some milliseconds. */
export const LAST_LOOKED_AT = 2_000;

/** The tasks that ended last. It costs the same with any history, and is done in one turn of the event loop. */
export class LastEnded {
  readonly #last: Database.Statement<[number], { submit_seq: number; queue: unknown }>;
  readonly #row: Database.Statement<[number], TaskRow>;

  constructor(db: Database.Database) {
    const arms = ['success', 'failed', 'cancelled'].map(
      (status) => `SELECT submit_seq, queue, finished_at_ms FROM tasks INDEXED BY idx_tasks_finished
        WHERE status = '${status}' AND finished_at_ms IS NOT NULL`,
    );
    this.#last = db.prepare(
      `${arms.join(' UNION ALL ')} ORDER BY finished_at_ms DESC, submit_seq DESC LIMIT ?`,
    );
    this.#row = db.prepare(`SELECT ${TASK_COLUMNS} FROM tasks WHERE submit_seq = ?`);
  }

  /**
   * The latest first.
   * @param queue only of this one
   * @returns `isCut`: there may be more, which were not looked at
   */
  of(queue: string | undefined, limit: number): { records: TaskRecord[]; isCut: boolean } {
    const records: TaskRecord[] = [];
    const candidates = this.#last.all(queue === undefined ? limit : LAST_LOOKED_AT);
    for (const candidate of candidates) {
      if (queue !== undefined && candidate.queue !== queue) continue;
      const row = this.#row.get(candidate.submit_seq);
      if (row !== undefined) records.push(toRecord(row));
      if (records.length === limit) return { records, isCut: false };
    }
    return { records, isCut: queue !== undefined && candidates.length === LAST_LOOKED_AT };
  }
}
