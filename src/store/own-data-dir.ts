import fs from 'node:fs';
import path from 'node:path';
import { Directory } from '../files/directory.js';
import { ExecgoError } from '../task/errors.js';

/** Directories that hold what is trusted, or what is removed by name. */
const DIRECTORIES = ['tasks', 'trash', 'supervisor', 'sessions'];
const FILES = [
  'runtime.db',
  'runtime.db-wal',
  'runtime.db-shm',
  'runtime.db-journal',
  'daemon.lock',
  'daemon.json',
];
/** The rights by which group and others may put something of theirs in. */
const WRITE_OF_OTHERS = 0o022;

/**
 * Makes sure that nobody else can put anything into a data directory, and that nobody has: what the daemon trusts there,
 * and removes there by name, is real and its own. Looks without following links. A directory of its own that others may
 * write to, as a umask of 002 leaves it, is closed when all that is in it is its own.
 * @throws ExecgoError `permission_denied`, saying what is wrong with which entry and what to do; nothing is changed then
 */
export function ensureOwn(dataDir: string): void {
  const uid = process.geteuid?.();
  if (uid === undefined) return;
  const data = openedAs(dataDir, uid);
  try {
    const open = [checkOwner(data, uid), ...DIRECTORIES.map((name) => checkDirectory(data, name, uid))];
    for (const name of FILES) checkFile(data, name, uid);
    if (!open.some(Boolean)) return;
    refuseForeign(data, uid);
    close(data);
    // What was put in between is found once nothing can be put in any more.
    refuseForeign(data, uid);
  } finally {
    data.close();
  }
}

/** Through a link only where that is an operator's or this user's own: whose link it is decides where it leads. */
function openedAs(dataDir: string, uid: number): Directory {
  const link = fs.lstatSync(dataDir);
  if (link.isSymbolicLink() && link.uid !== uid && link.uid !== 0)
    throw refused(
      dataDir,
      `is a link of user ${link.uid}`,
      'give the path that it leads to, or another --data-dir',
    );
  return Directory.open(dataDir);
}

/** @returns whether others may write to it */
function checkOwner(directory: Directory, uid: number): boolean {
  const stat = directory.self();
  if (stat.uid !== uid)
    throw refused(
      directory.path,
      `belongs to user ${stat.uid}, and this is user ${uid}`,
      `run execgo as user ${stat.uid}, give the directory away with chown -R ${uid} ${quoted(directory.path)} if all in it may be trusted, or choose another --data-dir`,
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
      `run execgo as user ${stat.uid}, or chown ${uid} ${quoted(shown)} if it may be trusted`,
    );
}

/** @throws ExecgoError that names the first entry, right in the data directory or in one of its directories, of somebody else */
function refuseForeign(data: Directory, uid: number): void {
  refuseForeignIn(data, uid);
  for (const name of DIRECTORIES) {
    if (data.stat(name) === undefined) continue;
    const directory = data.directory(name);
    try {
      refuseForeignIn(directory, uid);
    } finally {
      directory.close();
    }
  }
}

function refuseForeignIn(directory: Directory, uid: number): void {
  for (const name of directory.names()) {
    const stat = directory.stat(name);
    // A second name of a file may be anybody's doing, whosever the file is.
    const linked = stat?.isFile() === true && stat.nlink > 1;
    if (stat === undefined || (stat.uid === uid && !linked)) continue;
    throw refused(
      path.join(directory.path, name.toString()),
      linked
        ? 'has another name elsewhere, and others may write to its directory'
        : `belongs to user ${stat.uid}, and others may write to its directory`,
      `remove it, or make sure that all below ${quoted(directory.path)} may be trusted, and close it: chmod go-w ${quoted(directory.path)}`,
    );
  }
}

function close(data: Directory): void {
  takeWrite(data);
  for (const name of DIRECTORIES) {
    if (data.stat(name) === undefined) continue;
    const directory = data.directory(name);
    try {
      takeWrite(directory);
    } finally {
      directory.close();
    }
  }
}

function takeWrite(directory: Directory): void {
  const mode = directory.self().mode & 0o777;
  if ((mode & WRITE_OF_OTHERS) !== 0) directory.chmod(mode & ~WRITE_OF_OTHERS);
}

function quoted(file: string): string {
  return /^[\w./-]+$/.test(file) ? file : `'${file.replaceAll("'", String.raw`'\''`)}'`;
}

function refused(file: string, problem: string, advice: string): ExecgoError {
  return new ExecgoError(
    'permission_denied',
    `the data directory cannot be trusted: ${file} ${problem}; ${advice}`,
  );
}
