import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { ExecgoError } from '../../task/errors.js';
import { errnoOf, systemWords } from '../../files/errno.js';
import { makeDirectories } from '../../files/make-directories.js';
import { ensureOwn, refuseWeakWay } from './own-data-dir.js';

const LOCK_FILE = 'daemon.lock';
/** Where a daemon says who it is. */
export const HOLDER_FILE = 'daemon.json';

/** Who holds a data directory. */
export interface Holder {
  pid: number;
  /** Its URL; empty for one that does not serve. */
  listen_addr: string;
  started_at: string;
  /** What it is held for, when that is over soon; absent for a daemon. */
  purpose?: string | undefined;
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
 * @throws ExecgoError `conflict`, saying who holds it; `permission_denied` when it is not this user's own; `internal` when
 * it cannot be used
 */
function lockDataDir(dataDir: string): DataDirLock {
  const lockPath = path.join(dataDir, LOCK_FILE);
  const holderPath = path.join(dataDir, HOLDER_FILE);
  let db: Database.Database | undefined;
  try {
    refuseWeakWay(dataDir);
    makeDirectories(dataDir, 0o700);
    ensureOwn(dataDir);
    fs.closeSync(fs.openSync(lockPath, 'a', 0o600));
    db = new Database(lockPath, { timeout: 0 });
    // The lock of a full disk can be taken too: with no journal, nothing is written.
    db.pragma('journal_mode = MEMORY');
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db?.close();
    throw refusal(dataDir, holderPath, error);
  }
  const held = db;
  return {
    describe: (holder) => {
      try {
        fs.rmSync(holderPath, { force: true });
        fs.writeFileSync(holderPath, `${JSON.stringify(holder)}\n`, { mode: 0o600 });
      } catch {
        // On a full disk a second daemon is refused all the same, in fewer words.
      }
    },
    release: () => {
      fs.rmSync(holderPath, { force: true });
      held.close();
    },
  };
}

/** How long between two looks at a lock that is soon free, in milliseconds. */
const RETRY_MS = 50;

/**
 * As {@link lockDataDir}, but a directory that is held for a moment only, or by a daemon that does not say yet where it
 * listens, is waited for.
 * @param patienceMs milliseconds. @throws as {@link lockDataDir} does; at once when a daemon serves there
 */
export async function lockDataDirWhenFree(dataDir: string, patienceMs: number): Promise<DataDirLock> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    try {
      return lockDataDir(dataDir);
    } catch (error) {
      const held = error instanceof ExecgoError && error.code === 'conflict';
      if (!held || servingDaemon(dataDir) !== undefined || performance.now() >= deadline) throw error;
    }
    await delay(RETRY_MS);
  }
}

/** The daemon that serves a data directory, as it wrote it there; undefined when none does. */
export function servingDaemon(dataDir: string): Holder | undefined {
  const holder = readHolder(path.join(dataDir, HOLDER_FILE));
  return holder?.purpose === undefined ? holder : undefined;
}

function describeHolder(who: Holder | undefined): string {
  if (who === undefined) return 'another daemon';
  if (who.purpose !== undefined) return `${who.purpose} (pid ${who.pid})`;
  return `the daemon with pid ${who.pid}, listening on ${who.listen_addr}`;
}

function refusal(dataDir: string, holderPath: string, error: unknown): ExecgoError {
  if (error instanceof ExecgoError) return error;
  if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')) {
    const description = describeHolder(readHolder(holderPath));
    return new ExecgoError(
      'conflict',
      `the data directory ${dataDir} is in use by ${description}; stop it first, or choose another --data-dir`,
    );
  }
  return new ExecgoError(
    'internal',
    `the data directory ${dataDir} cannot be used: ${reason(error)}; ${remedy(error)}`,
  );
}

function reason(error: unknown): string {
  switch (errnoOf(error)) {
    case 'EEXIST':
      return 'it is not a directory';
    case 'ENOTDIR':
      return 'what stands above it is not a directory';
    case 'ENOENT':
      return 'no directory can be made there';
    default:
      return systemWords(error);
  }
}

function remedy(error: unknown): string {
  switch (errnoOf(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
    case 'SQLITE_FULL':
      return 'make room on its disk, or choose another --data-dir';
    case 'EROFS':
      return 'mount its file system writable, or choose another --data-dir';
    case 'EEXIST':
    case 'ENOTDIR':
    case 'ENOENT':
      return 'choose another --data-dir';
    default:
      return 'check that it belongs to the user execgo runs as and can be written to';
  }
}

/** Undefined when nobody wrote down who they are, or whoever did was killed. */
function readHolder(holderPath: string): Holder | undefined {
  let holder: Holder;
  try {
    holder = JSON.parse(fs.readFileSync(holderPath, 'utf8')) as Holder;
  } catch {
    return undefined;
  }
  try {
    process.kill(holder.pid, 0);
    return holder;
  } catch (error) {
    return errnoOf(error) === 'EPERM' ? holder : undefined;
  }
}
