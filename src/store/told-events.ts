import type Database from 'better-sqlite3';

/** How much a task has added to its history itself. */
export interface ToldEvents {
  count: number;
  /** Of the data of all of them, as JSON. */
  bytes: number;
}

/** What tasks have added to their histories. */
export class ToldEventCounts {
  readonly #ofTask: Database.Statement<[string], ToldEvents>;

  constructor(db: Database.Database) {
    this.#ofTask =
      db.prepare(`SELECT count(*) AS count, coalesce(sum(length(CAST(data_json AS BLOB))), 0) AS bytes
      FROM task_events WHERE task_id = ? AND event_type = 'task_event'`);
  }

  /** Reads all events of the task: for once. */
  ofTask(taskId: string): ToldEvents {
    return this.#ofTask.get(taskId) ?? { count: 0, bytes: 0 };
  }
}
