import Database from 'better-sqlite3';
import { join } from 'node:path';
import { median } from '../figure.js';

/**
 * One durable commit: a small row into SQLite with a write-ahead log and synchronous=FULL.
 * @param dir on the file system in question
 * @returns milliseconds, the median of `commits`
 */
export function durableCommitMs(dir: string, commits = 200): number {
  const database = new Database(join(dir, 'commit.db'));
  try {
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    database.exec('CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, text TEXT)');
    const insert = database.prepare('INSERT INTO rows (text) VALUES (?)');
    const times = Array.from({ length: commits }, () => {
      const began = performance.now();
      insert.run('a small row');
      return performance.now() - began;
    });
    return median(times);
  } finally {
    database.close();
  }
}
