import type Database from 'better-sqlite3';
import type { TransactionMember } from './database/group-commit.js';

/**
 * The sequence of the ids of attempts. A transaction that fails leaves a gap, which the next one that commits
 * saves: no number is given twice, and an id leaves the daemon only after the transaction that recorded it.
 */
export class AttemptIds implements TransactionMember {
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

  flush(): void {
    if (this.#last !== this.#saved) this.#save.run(this.#last);
  }

  committed(): void {
    this.#saved = this.#last;
  }
}
