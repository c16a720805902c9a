import type Database from 'better-sqlite3';
import type { SupervisorRecord } from './records.js';

/** The supervisors that may still hold tasks. */
export class SupervisorTable {
  readonly #put: Database.Statement;
  readonly #remove: Database.Statement<[string]>;
  readonly #holds: Database.Statement<[string], number>;
  readonly #all: Database.Statement<[], SupervisorRecord>;

  constructor(db: Database.Database) {
    this.#put =
      db.prepare(`INSERT OR REPLACE INTO supervisors (incarnation, pid, start_ticks, boot_id, started_at_ms)
      VALUES (@incarnation, @pid, @start_ticks, @boot_id, @started_at_ms)`);
    this.#remove = db.prepare('DELETE FROM supervisors WHERE incarnation = ?');
    this.#holds = db
      .prepare<[string], number>(
        "SELECT 1 FROM tasks INDEXED BY idx_tasks_status WHERE status = 'running' AND incarnation = ? LIMIT 1",
      )
      .pluck();
    this.#all = db.prepare(`SELECT incarnation, pid, start_ticks, boot_id, started_at_ms FROM supervisors
      ORDER BY started_at_ms, incarnation`);
  }

  put(record: SupervisorRecord): void {
    this.#put.run(record);
  }

  /** @returns false when a running task is given to it: what has become of that may be known there alone */
  remove(incarnation: string): boolean {
    if (this.#holds.get(incarnation) !== undefined) return false;
    this.#remove.run(incarnation);
    return true;
  }

  all(): SupervisorRecord[] {
    return this.#all.all();
  }
}
