import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { DATABASE_FILE } from './open.js';

/**
 * Ids of the tasks that are not terminal, read without changing the database: for what must be known before it is
 * opened and brought up to date. Empty when there is no database, or none that can be read.
 */
export function peekLiveTaskIds(dataDir: string): string[] {
  const file = path.join(dataDir, DATABASE_FILE);
  if (!fs.existsSync(file)) return [];
  let db: Database.Database | undefined;
  try {
    db = new Database(file, { readonly: true });
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
