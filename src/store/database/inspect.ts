import fs from 'node:fs';
import Database from 'better-sqlite3';
import { isUpToDate, schemaProblem } from './migrate.js';
import { sqliteCode } from './sqlite-error.js';
import { messageOf } from '../../files/errno.js';

const MAGIC = Buffer.from('SQLite format 3\0', 'latin1');
const RESTORE = 'restore a backup, or move it and tasks/ away to start empty';

/** The columns that every version of the older runtime has; the five it added later may be missing. */
const REQUIRED_COLUMNS: Record<string, readonly string[]> = {
  tasks: [
    'task_id',
    'status',
    'execution_json',
    'limits_json',
    'created_at_ms',
    'task_dir',
    'stdout_max_bytes',
  ],
  task_events: ['seq', 'task_id', 'event_type', 'timestamp_ms', 'message', 'data_json'],
};

/**
 * Why the database at `path` must not be opened for writing, and what to do about it; undefined when a quick look finds
 * nothing wrong. Changes no byte of it.
 */
export function problemAt(path: string): string | undefined {
  const stat = fs.lstatSync(path);
  const access = accessProblem(path, stat);
  if (access !== undefined) return access;
  if (stat.size === 0) return undefined;
  if (!startsWithMagic(path)) return `it is not a SQLite database: ${RESTORE}`;
  let db: Database.Database | undefined;
  try {
    db = openForReading(path);
    return contentProblem(db);
  } catch (error) {
    // A writer that crashed left a rollback journal, which a read-only connection cannot play back; opening it for writing,
    // which comes next, can.
    if (sqliteCode(error)?.startsWith('SQLITE_READONLY')) return undefined;
    return corruption(error);
  } finally {
    db?.close();
  }
}

/** Why a sound database cannot be used by this version as it is; undefined when it can. */
export function outdatedAt(path: string): string | undefined {
  const db = openForReading(path);
  try {
    return isUpToDate(db)
      ? undefined
      : 'it was last used by an older version: start execgo serve once to bring it up to date';
  } finally {
    db.close();
  }
}

/**
 * Opens a connection that writes nothing itself. Both modes of SQLite have a side effect: a writable connection leaves no
 * file behind, but when it closes moves an existing write-ahead log into the database; a read-only one leaves that log
 * alone, but makes an empty one where there is none.
 */
export function openForReading(path: string): Database.Database {
  const readonly = [`${path}-wal`, `${path}-journal`].some((p) => fs.existsSync(p));
  const db = new Database(path, { readonly, fileMustExist: true });
  db.pragma('query_only = ON');
  return db;
}

/** The sentence for an error that SQLite threw while reading a database. */
export function corruption(error: unknown): string {
  return `it is damaged (${sqliteCode(error) ?? 'error'}: ${messageOf(error)}): ${RESTORE}`;
}

/** True when a problem that {@link problemAt} or {@link corruption} found is damage to the content of the database. */
export function isDamage(problem: string): boolean {
  return problem.endsWith(RESTORE);
}

function accessProblem(path: string, stat: fs.Stats): string | undefined {
  if (!stat.isFile()) return 'it is not a regular file: move it away';
  const uid = process.geteuid?.();
  if (uid !== undefined && stat.uid !== uid)
    return `it belongs to user ${stat.uid}, this process runs as user ${uid}: run as that user, or change the owner of the data directory`;
  if ((stat.mode & 0o200) === 0) return 'it is read-only: make it writable for its owner (chmod u+w)';
  try {
    fs.accessSync(path, fs.constants.R_OK | fs.constants.W_OK);
  } catch (error) {
    return `it cannot be written (${messageOf(error)}): check permissions and mount options`;
  }
  return undefined;
}

function startsWithMagic(path: string): boolean {
  const fd = fs.openSync(path, 'r');
  try {
    const head = Buffer.alloc(MAGIC.length);
    fs.readSync(fd, head, 0, head.length, 0);
    return head.equals(MAGIC);
  } finally {
    fs.closeSync(fd);
  }
}

/** SQLite itself refuses a header that does not fit the file, so only the root page of each table is read here. */
function contentProblem(db: Database.Database): string | undefined {
  const tables = db
    .prepare<[], string>(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )
    .pluck()
    .all();
  const problem = schemaProblem(db) ?? foreignTables(db, tables);
  if (problem !== undefined) return problem;
  for (const table of tables) db.prepare(`SELECT * FROM "${table}" LIMIT 1`).get();
  return undefined;
}

function foreignTables(db: Database.Database, tables: string[]): string | undefined {
  if (tables.length === 0) return undefined;
  for (const [table, required] of Object.entries(REQUIRED_COLUMNS)) {
    const columns = db.prepare('SELECT name FROM pragma_table_info(?)').pluck().all(table);
    const missing = required.filter((column) => !columns.includes(column));
    if (missing.length > 0)
      return `it is not a database of execgo (table ${table} lacks ${missing.join(', ')}): move it away, or choose another data directory`;
  }
  return undefined;
}
