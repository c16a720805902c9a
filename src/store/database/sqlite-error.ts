import Database from 'better-sqlite3';
import { ExecgoError } from '../../task/errors.js';

/** The message for a full disk at start-up, where only the operator can try again. */
export const DISK_FULL = 'its disk is full: make room there and start again';

/** The extended SQLite code (`SQLITE_FULL`, `SQLITE_IOERR_FSYNC`, …) of an error that SQLite raised. */
export function sqliteCode(error: unknown): string | undefined {
  return error instanceof Database.SqliteError ? error.code : undefined;
}

/**
 * The error to give a client when SQLite could not write: `insufficient_storage` for a full, failing or read-only disk,
 * `unavailable` for a database that another process keeps locked. Any other error is returned as it is.
 */
export function storageError(error: unknown): unknown {
  const code = sqliteCode(error);
  if (code === undefined) return error;
  if (['SQLITE_FULL', 'SQLITE_IOERR', 'SQLITE_CANTOPEN', 'SQLITE_READONLY'].some((c) => code.startsWith(c)))
    return new ExecgoError(
      'insufficient_storage',
      `the disk of the data directory is full, failing or read-only (${code}), nothing was written: make room there and try again`,
    );
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED'))
    return new ExecgoError(
      'unavailable',
      `the database is locked by another process (${code}), nothing was written: close that process and try again`,
    );
  return error;
}
