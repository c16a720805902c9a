import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { ExecgoError } from '../task/errors.js';

const LOCK_FILE = 'daemon.lock';
const HOLDER_FILE = 'daemon.json';

/** Who holds a data directory. */
export interface Holder {
  pid: number;
  listen_addr: string;
  started_at: string;
}

/** The right to be the one daemon of a data directory; the kernel takes it back when the process dies. */
export interface DataDirLock {
  /** Tells a second daemon who this one is. */
  describe: (holder: Holder) => void;
  release: () => void;
}

/**
 * Takes the data directory, which is made with mode 0700 where it is missing. The lock is SQLite's own on an empty file,
 * because Node has no flock.
 * @throws ExecgoError `conflict`, saying who holds it; `internal` when the directory cannot be used
 */
export function lockDataDir(dataDir: string): DataDirLock {
  const lockPath = path.join(dataDir, LOCK_FILE);
  const holderPath = path.join(dataDir, HOLDER_FILE);
  let db: Database.Database | undefined;
  try {
    fs.mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    fs.closeSync(fs.openSync(lockPath, 'a', 0o600));
    db = new Database(lockPath, { timeout: 0 });
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db?.close();
    throw refusal(dataDir, holderPath, error);
  }
  const held = db;
  return {
    describe: (holder) => {
      fs.writeFileSync(holderPath, `${JSON.stringify(holder)}\n`, { mode: 0o600 });
    },
    release: () => {
      fs.rmSync(holderPath, { force: true });
      held.close();
    },
  };
}

function refusal(dataDir: string, holderPath: string, error: unknown): ExecgoError {
  if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')) {
    const who = readHolder(holderPath);
    const description =
      who === undefined
        ? 'another daemon'
        : `the daemon with pid ${who.pid}, listening on ${who.listen_addr}`;
    return new ExecgoError(
      'conflict',
      `the data directory ${dataDir} is in use by ${description}; stop it first, or choose another --data-dir`,
    );
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new ExecgoError(
    'internal',
    `the data directory ${dataDir} cannot be used: ${reason}; check that it belongs to the user execgo runs as and can be written to`,
  );
}

function readHolder(holderPath: string): Holder | undefined {
  try {
    return JSON.parse(fs.readFileSync(holderPath, 'utf8')) as Holder;
  } catch {
    return undefined;
  }
}
