import Database from 'better-sqlite3';

/** Steps in which the log is moved into the database beside writers, who make it longer meanwhile. */
const STEPS = 8;
/** Tries to cut the log off between two transactions of others, and the pause between them in milliseconds. */
const TRIES = 20;
const PAUSE_MS = 10;

/**
 * Moves the write-ahead log into the database at `path` and cuts it off, through a connection of its own. Takes as long as
 * the disk does: not for an event loop. Writers are held up for what came since the last step only, and nobody for a reader.
 * @returns false when somebody was in the way all the time: who reads an old view, or writes without a pause
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

/** Pages in the log, and how many of them are in the database. */
function checkpoint(db: Database.Database, mode: 'PASSIVE' | 'TRUNCATE') {
  const [result] = db.pragma(`wal_checkpoint(${mode})`) as {
    busy: number;
    log: number;
    checkpointed: number;
  }[];
  return result ?? { busy: 1, log: 0, checkpointed: 0 };
}
