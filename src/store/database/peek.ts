import fs from 'node:fs';
import path from 'node:path';
import type Database from 'better-sqlite3';
import { openForReading, problemAt } from './inspect.js';
import { isOfOlderRuntime } from './migrate.js';
import { Meta, TASK_GROUP } from './meta.js';
import { DATABASE_FILE } from './database.js';

/**
 * Ids of the older runtime's tasks that have not ended, which must be known before the database is opened and migrated.
 * Reads without changing the database or leaving a file beside it. Empty when there is no database, when it cannot be
 * opened, and when it has our schema already: then the older runtime has not used it since.
 */
export function peekOlderLiveTaskIds(dataDir: string): string[] {
  const ids = peek(dataDir, (db) => {
    if (!isOfOlderRuntime(db)) return [];
    const rows = db
      .prepare<[], { task_id: string }>("SELECT task_id FROM tasks WHERE status IN ('accepted', 'running')")
      .all();
    return rows.map((row) => row.task_id);
  });
  return ids ?? [];
}

/**
 * The task group that the last daemon wrote down (see {@link TASK_GROUP}), read in the same way.
 * @returns null: the last daemon had no `--task-user`; undefined: no daemon wrote it down, or the database cannot be read
 */
export function peekTaskGroup(dataDir: string): number | null | undefined {
  return peek(dataDir, (db) => new Meta(db).read(TASK_GROUP) as number | null | undefined);
}

function peek<T>(dataDir: string, look: (db: Database.Database) => T): T | undefined {
  const file = path.join(dataDir, DATABASE_FILE);
  let db: Database.Database | undefined;
  try {
    if (!fs.existsSync(file) || problemAt(file) !== undefined) return undefined;
    db = openForReading(file);
    return look(db);
  } catch {
    return undefined;
  } finally {
    db?.close();
  }
}
