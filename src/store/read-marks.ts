import type Database from 'better-sqlite3';
import { ExecgoError } from '../task/errors.js';

/** How many readers one task, or one session, may have: anybody can make one up. */
export const READERS_MAX = 64;

/** Up to which version a reader has seen a task. The marks of a task go with it. */
export class ReadMarks {
  readonly #set: Database.Statement<[string, string, number]>;
  readonly #others: Database.Statement<[string, string], number>;

  constructor(db: Database.Database) {
    this.#set = db.prepare(`INSERT INTO read_marks (reader, task_id, version) VALUES (?, ?, ?)
      ON CONFLICT (reader, task_id) DO UPDATE SET version = excluded.version`);
    this.#others = db
      .prepare<[string, string], number>(
        'SELECT count(*) FROM read_marks INDEXED BY idx_read_marks_task WHERE task_id = ? AND reader <> ?',
      )
      .pluck();
  }

  /**
   * To be called in a transaction.
   * @throws ExecgoError `resource_limit_exceeded` when the task has as many readers as it may
   */
  set(reader: string, taskId: string, version: number): void {
    if ((this.#others.get(taskId, reader) ?? 0) >= READERS_MAX)
      throw new ExecgoError(
        'resource_limit_exceeded',
        `task ${taskId} has ${READERS_MAX} readers already: no other can mark it`,
        { bound: 'readers', limit: READERS_MAX },
      );
    this.#set.run(reader, taskId, version);
  }
}
