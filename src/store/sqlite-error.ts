import Database from 'better-sqlite3';
import { ExecgoError } from '../task/errors.js';

/** The extended SQLite code (`SQLITE_FULL`, `SQLITE_IOERR_FSYNC`, …) of an error that SQLite raised. */
export function sqliteCode(error: unknown): string | undefined {
  return error instanceof Database.SqliteError ? error.code : undefined;
}

/**
 * What a client is told when SQLite could not write: `insufficient_storage` for a full or failing disk, `unavailable`
 * for a database that somebody else keeps locked. Every other error is returned as it is.
 */
export function storageError(error: unknown): unknown {
  const code = sqliteCode(error);
  if (code === undefined) return error;
  if (code === 'SQLITE_FULL' || code.startsWith('SQLITE_IOERR') || code.startsWith('SQLITE_CANTOPEN'))
    return new ExecgoError(
      'insufficient_storage',
      `the disk of the data directory is full or failing (${code}), nothing was written: make room there and try again`,
    );
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED'))
    return new ExecgoError(
      'unavailable',
      `the database is locked by another process (${code}), nothing was written: close that process and try again`,
    );
  return error;
}
