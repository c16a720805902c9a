import fs from 'node:fs';
import path from 'node:path';
import type Database from 'better-sqlite3';
import { openForReading, problemAt } from './inspect.js';
import { isOfOlderRuntime } from './migrate.js';
import { Meta, TASK_GROUP } from './meta.js';
import { DATABASE_FILE } from './database.js';

/**
 * Ids of the tasks of the older runtime that are not terminal, read without changing the database or leaving a file beside it:
 * for what must be known before it is opened and brought up to date. Empty when there is no database, or none that would be
 * opened, and once it has our schema: nothing of the older runtime has worked on it since.
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
 * The group that the last daemon let through to the tasks of its `--task-user`, read in the same way.
 * @returns null: it had no such user; undefined: no daemon has said, or the database cannot be read
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
