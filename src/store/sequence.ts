import type Database from 'better-sqlite3';
import type { TransactionMember } from './database/group-commit.js';

/**
 * Numbers that are given once and grow. A transaction that fails leaves a gap, which the next one that commits saves: no number
 * is given twice, and one leaves the daemon only after the transaction that recorded it.
 */
export class Sequence implements TransactionMember {
  readonly #save: Database.Statement<[number]>;
  #last: number;
  #saved: number;

  /** @param key where `meta` keeps the last number */
  constructor(db: Database.Database, key: 'last_launch_id' | 'last_version') {
    this.#save = db.prepare(`UPDATE meta SET value = ? WHERE key = '${key}'`);
    const last = db.prepare('SELECT value FROM meta WHERE key = ?').pluck().get(key);
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
