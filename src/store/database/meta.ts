import type Database from 'better-sqlite3';
import { parseJson } from './json.js';

/** The group of the user given with `--task-user`; null without one. */
export const TASK_GROUP = 'task_group';

/** Named values that a daemon leaves for the next one. */
export class Meta {
  readonly #read: Database.Statement<[string], string>;
  readonly #write: Database.Statement<[string, string]>;

  constructor(db: Database.Database) {
    this.#read = db.prepare<[string], string>('SELECT value FROM meta WHERE key = ?').pluck();
    this.#write = db.prepare('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)');
  }

  /** Undefined when the key was never written. Null is a value. */
  read(key: string): unknown {
    const text = this.#read.get(key);
    return text === undefined ? undefined : parseJson(text);
  }

  write(key: string, value: unknown): void {
    this.#write.run(key, JSON.stringify(value));
  }
}
