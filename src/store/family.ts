import type Database from 'better-sqlite3';
import type { TaskRecord } from './records.js';
import { TASK_COLUMNS, toRecord, type TaskRow } from './tasks/task-row.js';

/** How many ancestors a task may have: each child is looked at with all of them. */
export const ANCESTORS_MAX = 100;

/** What is above a task that is to be submitted. */
export interface Ancestry {
  /** How many there are, with the parent. */
  count: number;
  /** One of them was killed with its children. */
  isKilled: boolean;
}

/** A child, by its place among those of its parent. */
interface Child {
  task_id: string;
  submit_seq: number;
}

/** Parents and children. A task that was deleted is no parent any more. */
export class Family {
  readonly #ancestry: Database.Statement<[string], { count: number; killed: number | null }>;
  readonly #kill: Database.Statement<[string]>;
  readonly #children: Database.Statement<[string, number, number], Child>;
  readonly #records: Database.Statement<[string, number, number], TaskRow>;

  constructor(db: Database.Database) {
    this.#ancestry = db.prepare(`WITH RECURSIVE above (task_id, parent, killed, n) AS (
        SELECT task_id, parent_task_id, family_killed, 1 FROM tasks WHERE task_id = ?
        UNION ALL
        SELECT t.task_id, t.parent_task_id, t.family_killed, n + 1
        FROM above CROSS JOIN tasks t WHERE t.task_id = above.parent AND n <= ${ANCESTORS_MAX})
      SELECT count(*) AS count, max(killed) AS killed FROM above`);
    this.#kill = db.prepare('UPDATE tasks SET family_killed = 1 WHERE task_id = ? AND family_killed = 0');
    const children = (columns: string) => `SELECT ${columns} FROM tasks INDEXED BY idx_tasks_parent
      WHERE parent_task_id = ? AND submit_seq > ? ORDER BY submit_seq LIMIT ?`;
    this.#children = db.prepare(children('task_id, submit_seq'));
    this.#records = db.prepare(children(TASK_COLUMNS));
  }

  /** Undefined: there is no such task. @param parentId of a task that is to be submitted */
  ancestry(parentId: string): Ancestry | undefined {
    const above = this.#ancestry.get(parentId);
    return above === undefined || above.count === 0
      ? undefined
      : { count: above.count, isKilled: above.killed === 1 };
  }

  /** Lets nothing become a child of this task, or of one below it, any more. To be called in a transaction. */
  markKilled(taskId: string): void {
    this.#kill.run(taskId);
  }

  /** A page of its children, in the order in which they were submitted: those after `afterSeq`. */
  children(taskId: string, afterSeq: number, limit: number): Child[] {
    return this.#children.all(taskId, afterSeq, limit);
  }

  /** As {@link children}, with all that is known of them. */
  childRecords(taskId: string, afterSeq: number, limit: number): TaskRecord[] {
    return this.#records.all(taskId, afterSeq, limit).map((row) => toRecord(row));
  }
}
