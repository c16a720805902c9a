import Database from 'better-sqlite3';

/** In how many steps the log is moved into the database. Writers run between the steps and make the log longer. */
const STEPS = 8;
/**
 * How often it is tried to truncate the log between two transactions of other connections, and the pause between two tries
 * in milliseconds.
 */
const TRIES = 20;
const PAUSE_MS = 10;

/**
 * Moves the write-ahead log into the database at `path` and truncates it, through a connection of its own. Takes as long as
 * the disk needs, so it must not run in an event loop. Writers are blocked only while the part is moved that came since the
 * last step, and readers never block them.
 * @returns false when other connections were in the way all the time: with a reader of an old snapshot, or a writer that
 *   never pauses
 * @throws Error of SQLite when the database cannot be read or written
 */
export function emptyLog(path: string): boolean {
  const db = new Database(path, { fileMustExist: true, timeout: 0 });
  try {
    for (let step = 0, left = Infinity; step < STEPS; step++) {
      const { log, checkpointed } = checkpoint(db, 'PASSIVE');
      if (log - checkpointed === 0 || log - checkpointed >= left) break;
      left = log - checkpointed;
    }
    for (let tries = 0; tries < TRIES; tries++) {
      if (checkpoint(db, 'TRUNCATE').busy === 0) return true;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
    }
    return false;
  } finally {
    db.close();
  }
}

/** Runs a checkpoint. @returns how many pages the log has, and how many of them are in the database */
function checkpoint(db: Database.Database, mode: 'PASSIVE' | 'TRUNCATE') {
  const [result] = db.pragma(`wal_checkpoint(${mode})`) as {
    busy: number;
    log: number;
    checkpointed: number;
  }[];
  return result ?? { busy: 1, log: 0, checkpointed: 0 };
}
