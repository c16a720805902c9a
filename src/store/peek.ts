import fs from 'node:fs';
import path from 'node:path';
import type Database from 'better-sqlite3';
import { openForReading, problemAt } from './inspect.js';
import { isOfOlderRuntime } from './migrate.js';
import { DATABASE_FILE } from './open.js';

/**
 * Ids of the tasks of the older runtime that are not terminal, read without changing the database or leaving a file beside it:
 * for what must be known before it is opened and brought up to date. Empty when there is no database, or none that would be
 * opened, and once it has our schema: nothing of the older runtime has worked on it since.
 */
export function peekOlderLiveTaskIds(dataDir: string): string[] {
  const file = path.join(dataDir, DATABASE_FILE);
  let db: Database.Database | undefined;
  try {
    if (!fs.existsSync(file) || problemAt(file) !== undefined) return [];
    db = openForReading(file);
    if (!isOfOlderRuntime(db)) return [];
    const rows = db
      .prepare<[], { task_id: string }>("SELECT task_id FROM tasks WHERE status IN ('accepted', 'running')")
      .all();
    return rows.map((row) => row.task_id);
  } catch {
    return [];
  } finally {
    db?.close();
  }
}
