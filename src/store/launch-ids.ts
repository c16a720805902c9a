import type Database from 'better-sqlite3';
import type { TransactionMember } from './database/group-commit.js';

/**
 * The sequence of launch ids, the ids of attempts. A failed transaction may leave a gap, but no number is given twice: an id
 * leaves the daemon only after the transaction that recorded it.
 */
export class LaunchIds implements TransactionMember {
  readonly #save: Database.Statement<[number]>;
  #last: number;
  #saved: number;

  constructor(db: Database.Database) {
    this.#save = db.prepare("UPDATE meta SET value = ? WHERE key = 'last_launch_id'");
    const last = db.prepare("SELECT value FROM meta WHERE key = 'last_launch_id'").pluck().get();
    this.#last = this.#saved = typeof last === 'number' ? last : 0;
  }

  next(): number {
    return ++this.#last;
  }

  mark(): number {
    return this.#last;
  }

  rewind(): void {
    // After a rollback, numbers that were given are not given again.
  }

  flush(): void {
    if (this.#last !== this.#saved) this.#save.run(this.#last);
  }

  committed(): void {
    this.#saved = this.#last;
  }

  rolledBack(): void {
    // The next transaction that commits saves it.
  }
}
