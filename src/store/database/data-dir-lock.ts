import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { ExecgoError } from '../../task/errors.js';
import { errnoOf, systemWords } from '../../files/errno.js';
import { makeDirectories } from '../../files/make-directories.js';
import { ensureOwn, refuseWeakWay } from './own-data-dir.js';

const LOCK_FILE = 'daemon.lock';
/** The file in which a daemon says who it is. */
export const HOLDER_FILE = 'daemon.json';

/** The process that holds a data directory. */
export interface Holder {
  pid: number;
  /** The URL of the daemon; empty for a process that serves no HTTP. */
  listen_addr: string;
  started_at: string;
  /** What a command holds the directory for, for a short time; absent for a daemon. */
  purpose?: string | undefined;
}

/** The right to be the one daemon of a data directory. The kernel takes it back when the process dies. */
export interface DataDirLock {
  /** Writes down who this daemon is, for a second one that finds the lock taken. */
  describe: (holder: Holder) => void;
  release: () => void;
}

/**
 * Locks the data directory, which is made with mode 0700 when it is missing. The lock is SQLite's own lock on an empty file,
 * because Node has no flock.
 * @throws ExecgoError `conflict`, saying who holds it; `permission_denied` when it does not belong to this user; `internal`
 *   when it cannot be used
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
    // With no journal file nothing is written, so that the lock can be taken on a full disk.
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
        // When the disk is full, the file cannot be written; a second daemon is refused all the same, with less to say.
      }
    },
    release: () => {
      fs.rmSync(holderPath, { force: true });
      held.close();
    },
  };
}

/** How long to wait before trying the lock again, in milliseconds. */
const RETRY_MS = 50;

/**
 * As {@link lockDataDir}, but waits while a command holds the directory, or a daemon that has not yet said where it listens.
 * @param patienceMs milliseconds
 * @throws as {@link lockDataDir}; at once when a daemon serves the directory
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

/** The daemon that serves a data directory, as it wrote itself down there; undefined when there is none. */
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

/** Undefined when there is no such file, or the process that wrote it has died. */
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
