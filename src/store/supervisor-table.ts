import type Database from 'better-sqlite3';
import type { SupervisorRecord } from './records.js';

/** The supervisors that may still hold tasks. */
export class SupervisorTable {
  readonly #put: Database.Statement;
  readonly #remove: Database.Statement<[string]>;
  readonly #all: Database.Statement<[], SupervisorRecord>;

  constructor(db: Database.Database) {
    this.#put =
      db.prepare(`INSERT OR REPLACE INTO supervisors (incarnation, pid, start_ticks, boot_id, started_at_ms)
      VALUES (@incarnation, @pid, @start_ticks, @boot_id, @started_at_ms)`);
    this.#remove = db.prepare('DELETE FROM supervisors WHERE incarnation = ?');
    this.#all = db.prepare(`SELECT incarnation, pid, start_ticks, boot_id, started_at_ms FROM supervisors
      ORDER BY started_at_ms, incarnation`);
  }

  put(record: SupervisorRecord): void {
    this.#put.run(record);
  }

  remove(incarnation: string): void {
    this.#remove.run(incarnation);
  }

  all(): SupervisorRecord[] {
    return this.#all.all();
  }
}
