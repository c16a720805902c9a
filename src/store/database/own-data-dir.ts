import path from 'node:path';
import { withDirectory, type Directory } from '../../files/directory.js';
import { shellWord } from '../../files/shell-quote.js';
import { ExecgoError } from '../../task/errors.js';
import { DATABASE_FILE } from './database.js';
import { weakPlaceAbove } from './way-to-data-dir.js';

/** Directories of whose contents the daemon trusts some and removes others by name. */
const DIRECTORIES = ['tasks', 'trash', 'supervisor', 'sessions'];
const FILES = [
  ...['', '-wal', '-shm', '-journal'].map((end) => `${DATABASE_FILE}${end}`),
  'daemon.lock',
  'daemon.json',
];
/** The permission bits with which group or others may add entries. */
const WRITE_OF_OTHERS = 0o022;
const PRIVATE = 0o700;

/** A data directory cannot be trusted; the message says why, and what to do. */
export class Distrust extends ExecgoError {
  constructor(
    readonly problem: string,
    readonly advice: string,
  ) {
    super('permission_denied', `the data directory cannot be trusted: ${problem}; ${advice}`);
  }
}

/**
 * Makes sure that no other user can add anything to a data directory, and that none has: the daemon trusts some of what it
 * finds there and removes other things by name. Does not follow links. A new directory, and one of this user's that others
 * may write to (as a umask of 002 leaves it), is closed to others once everything in it has been found to be this user's.
 * Everything below it is then out of others' reach as well.
 * @throws Distrust; nothing is changed then. A system error
 */
export function ensureOwn(dataDir: string): void {
  const uid = process.geteuid?.();
  if (uid === undefined) return;
  const isOpen = checkOwn(dataDir, uid);
  withDirectory(dataDir, [], (data) => {
    if (isOpen || data.stat(DATABASE_FILE) === undefined) close(data);
    // Entries that others added while we looked are found now that they cannot add more.
    if (isOpen) refuseForeign(data, uid);
  });
}

/** What {@link ensureOwn} would throw; changes nothing. @throws a system error */
export function whyNotOwn(dataDir: string): Distrust | undefined {
  const uid = process.geteuid?.();
  if (uid === undefined) return undefined;
  try {
    checkOwn(dataDir, uid);
    return undefined;
  } catch (error) {
    if (error instanceof Distrust) return error;
    throw error;
  }
}

/** @returns whether others may write to it or to one of its directories. @throws Distrust, or a system error */
function checkOwn(dataDir: string, uid: number): boolean {
  refuseWeakWay(dataDir, uid);
  return withDirectory(dataDir, [], (data) => {
    const open = [checkOwner(data, uid), ...DIRECTORIES.map((name) => checkDirectory(data, name, uid))];
    for (const name of FILES) checkFile(data, name, uid);
    const isOpen = open.some(Boolean);
    if (isOpen) refuseForeign(data, uid);
    return isOpen;
  });
}

/**
 * Also to be called before the directory is made.
 * @throws Distrust when another user could replace a directory or link in its path
 */
export function refuseWeakWay(dataDir: string, uid = process.geteuid?.()): void {
  if (uid === undefined) return;
  const weak = weakPlaceAbove(dataDir, uid);
  if (weak !== undefined) throw refused(weak.path, weak.problem, weak.advice);
}

/** @returns whether others may write to it */
function checkOwner(directory: Directory, uid: number): boolean {
  const stat = directory.self();
  if (stat.uid !== uid)
    throw refused(
      directory.path,
      `belongs to user ${stat.uid}, and this is user ${uid}`,
      `run execgo as user ${stat.uid}, give the directory away with chown -R ${uid} ${shellWord(directory.path)} if all in it may be trusted, or choose another --data-dir`,
    );
  return (stat.mode & WRITE_OF_OTHERS) !== 0;
}

function checkDirectory(data: Directory, name: string, uid: number): boolean {
  const stat = data.stat(name);
  if (stat === undefined) return false;
  const shown = path.join(data.path, name);
  if (!stat.isDirectory()) throw refused(shown, 'is not a directory', `move it away while no daemon runs`);
  const directory = data.directory(name);
  try {
    return checkOwner(directory, uid);
  } finally {
    directory.close();
  }
}

function checkFile(data: Directory, name: string, uid: number): void {
  const stat = data.stat(name);
  if (stat === undefined) return;
  const shown = path.join(data.path, name);
  if (!stat.isFile()) throw refused(shown, 'is not a regular file', 'move it away while no daemon runs');
  if (stat.uid !== uid)
    throw refused(
      shown,
      `belongs to user ${stat.uid}, and this is user ${uid}`,
      `run execgo as user ${stat.uid}, or chown ${uid} ${shellWord(shown)} if it may be trusted`,
    );
}

/**
 * Looks one level deep, so that it is quick with any number of tasks; one level deeper in the directories of supervisors,
 * whose files the daemon trusts. Everything else below belongs to a task, which is never trusted.
 * @throws Distrust that names the first entry of another user
 */
function refuseForeign(data: Directory, uid: number): void {
  const look = (directory: Directory): void => {
    refuseForeignIn(directory, uid, data.path);
  };
  look(data);
  for (const name of DIRECTORIES) {
    inDirectory(data, name, (directory) => {
      look(directory);
      if (name === 'supervisor')
        for (const incarnation of directory.names()) inDirectory(directory, incarnation, look);
    });
  }
}

/** Calls `use` with the directory, if there is one of that name. */
function inDirectory(parent: Directory, name: string | Buffer, use: (directory: Directory) => void): void {
  if (parent.stat(name)?.isDirectory() !== true) return;
  const directory = parent.directory(name);
  try {
    use(directory);
  } finally {
    directory.close();
  }
}

function refuseForeignIn(directory: Directory, uid: number, dataDir: string): void {
  for (const name of directory.names()) {
    const stat = directory.stat(name);
    // Another user may have made a second name (a hard link) for a file that is ours.
    const linked = stat?.isFile() === true && stat.nlink > 1;
    // Entries of root are accepted, such as the lost+found of a file system: root can write anywhere anyway.
    if (stat === undefined || ((stat.uid === uid || stat.uid === 0) && !linked)) continue;
    throw refused(
      path.join(directory.path, name.toString()),
      linked
        ? 'has another name elsewhere, and others may write here'
        : `belongs to user ${stat.uid}, and others may write here`,
      `remove it, or make sure that all below ${shellWord(dataDir)} may be trusted, and close it: chmod go-w ${shellWord(dataDir)} ${shellWord(dataDir)}/*/`,
    );
  }
}

function close(data: Directory): void {
  const makePrivate = (directory: Directory): void => {
    if ((directory.self().mode & 0o777) !== PRIVATE) directory.chmod(PRIVATE);
  };
  makePrivate(data);
  for (const name of DIRECTORIES) inDirectory(data, name, makePrivate);
}

function refused(file: string, problem: string, advice: string): Distrust {
  return new Distrust(`${file} ${problem}`, advice);
}
