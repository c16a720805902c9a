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
  readonly #listeners = new Set<() => void>();

  /** @param key where `meta` keeps the last number */
  constructor(db: Database.Database, key: 'last_launch_id' | 'last_version' | 'last_schedule_version') {
    this.#save = db.prepare(`UPDATE meta SET value = ? WHERE key = '${key}'`);
    const last = db.prepare('SELECT value FROM meta WHERE key = ?').pluck().get(key);
    this.#last = this.#saved = typeof last === 'number' ? last : 0;
  }

  next(): number {
    return ++this.#last;
  }

  /** The last one of what is committed. */
  get last(): number {
    return this.#saved;
  }

  /** Calls back once, after the next commit that gives numbers. @returns what takes that back */
  onNext(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  flush(): void {
    if (this.#last !== this.#saved) this.#save.run(this.#last);
  }

  committed(): void {
    if (this.#saved === this.#last) return;
    this.#saved = this.#last;
    if (this.#listeners.size === 0) return;
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener();
  }
}
