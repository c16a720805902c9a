import fs from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { makeDirectories } from '../../files/make-directories.js';
import { ExecgoError } from '../../task/errors.js';
import { outdatedAt, problemAt } from './inspect.js';
import { lostDatabase } from './lost-database.js';
import { migrate } from './migrate.js';
import { DISK_FULL, sqliteCode } from './sqlite-error.js';
import { messageOf } from '../../files/errno.js';

/** Name of the database file inside the data directory. */
export const DATABASE_FILE = 'runtime.db';

/** How long a statement waits for a lock that another process holds, in milliseconds. The event loop is blocked meanwhile. */
const BUSY_TIMEOUT_MS = 250;

/**
 * Opens the database of a data directory, makes it when there is none, and brings its schema up to date.
 * @param asItIs instead refuses a database that is missing or not up to date
 * @throws ExecgoError `internal`, saying what is wrong with which file and what to do; the file is left as it was
 */
export function openDatabase(dataDir: string, now: () => number, asItIs = false): Database.Database {
  const path = join(dataDir, DATABASE_FILE);
  const lost = !asItIs && isNew(path) ? lostDatabase(dataDir, true) : undefined;
  if (lost !== undefined) throw refusal(path, lost);
  const problem = fs.existsSync(path)
    ? (problemAt(path) ?? (asItIs ? outdatedAt(path) : undefined))
    : asItIs
      ? 'it does not exist: nothing has run there yet'
      : create(path);
  if (problem !== undefined) throw refusal(path, problem);
  for (const file of [path, `${path}-wal`, `${path}-shm`]) if (fs.existsSync(file)) fs.chmodSync(file, 0o600);
  const db = new Database(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    db.pragma('synchronous = FULL');
    migrate(db, now);
    db.pragma('foreign_keys = ON');
    const mode = db.pragma('journal_mode = WAL', { simple: true });
    if (mode !== 'wal')
      throw refusal(
        path,
        'its file system cannot do write-ahead logging: choose a data directory on a local disk',
      );
    return db;
  } catch (error) {
    db.close();
    if (error instanceof ExecgoError) throw error;
    if (sqliteCode(error) === 'SQLITE_FULL') throw refusal(path, DISK_FULL);
    throw refusal(path, messageOf(error));
  }
}

function isNew(path: string): boolean {
  const stat = fs.lstatSync(path, { throwIfNoEntry: false });
  return stat === undefined || (stat.isFile() && stat.size === 0 && !fs.existsSync(`${path}-wal`));
}

function create(path: string): string | undefined {
  try {
    makeDirectories(dirname(path), 0o700);
    fs.closeSync(fs.openSync(path, 'wx', 0o600));
    return undefined;
  } catch (error) {
    return `it cannot be made (${messageOf(error)}): check the data directory's permissions`;
  }
}

export function refusal(path: string, problem: string): ExecgoError {
  return new ExecgoError('internal', `cannot open the database ${path}: ${problem}`);
}
