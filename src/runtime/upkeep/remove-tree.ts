import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { Directory } from '../../files/directory.js';
import { errnoOf } from '../../files/errno.js';
import { MountedError } from '../../files/kind.js';
import { mountId } from '../../files/mount-id.js';
import { IS_LINUX, O_PATH } from '../../files/open-file.js';
import { diskBytes } from './measure-tree.js';

/** What came of a removal. */
export interface Removal {
  /** Disk space given back. A file that has another name elsewhere gives nothing back. */
  bytes: number;
  /** Why something is still there, a sentence each and at most {@link MAX_PROBLEMS}; empty when all is gone. */
  problems: string[];
}

/** A hostile tree can hold any number of things that cannot be removed. */
const MAX_PROBLEMS = 10;

/** How often a directory is read at most: something may still be writing to it. */
const MAX_READINGS = 100;

/**
 * Removes one entry of `trash`, whatever a task made of it. Nobody but this process may change `trash` itself; below it
 * anybody may change anything at any time.
 *
 * Nothing is ever reached through more than one component below `trash` that is not known to be a directory of its own:
 * a directory that is not empty is renamed up into `trash` and emptied there, and unlink, rmdir and rename never follow
 * a link in the last component. So no link leads out, no depth makes a path too long, and no stack grows with the depth.
 * Nothing on another mount is removed or even looked at: a mount point stays, with what it lies in, and is told.
 * @param name of the entry
 */
export function removeTree(trash: Directory, name: string): Removal {
  const { bytes, problems } = removeIn(trash.entry(), trash.mountId(), name);
  return { bytes, problems: problems.map((problem) => problem.replaceAll(trash.entry(), trash.path)) };
}

/** A removal under way. @property mount that all of it is in */
interface Work extends Removal {
  mount: number | undefined;
}

function removeIn(trash: string, mount: number | undefined, name: string): Removal {
  const removal: Work = { bytes: 0, problems: [], mount };
  const open = [Buffer.from(path.join(trash, name))];
  const emptied: Buffer[] = [];
  for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
    attempt(removal, entry, () => {
      const stat = look(removal, entry);
      if (!stat.isDirectory()) {
        unlink(removal, entry, stat);
        return;
      }
      emptied.push(entry);
      empty(removal, entry, (child) => {
        const up = Buffer.from(path.join(trash, randomUUID()));
        moveUp(child, up);
        open.push(up);
      });
    });
  }
  for (const dir of emptied)
    attempt(removal, dir, () => {
      fs.rmdirSync(dir);
    });
  return removal;
}

/** Removes all children of a directory that is right in the trash; those that are not empty are handed to `moveAway`. */
function empty(removal: Work, dir: Buffer, moveAway: (child: Buffer) => void): void {
  // Removing while reading may hide entries from the reader: it reads again until there is nothing left to be done.
  let progress = true;
  for (let reading = 0; progress && reading < MAX_READINGS; reading++) {
    progress = false;
    const entries = openDirectory(dir);
    try {
      for (let entry = entries.readSync(); entry !== null; entry = entries.readSync()) {
        const child = Buffer.concat([dir, Buffer.from('/'), entry.name as unknown as Buffer]);
        const gone = attempt(removal, child, () => {
          withRights(dir, () => {
            removeChild(removal, child, moveAway);
          });
        });
        progress ||= gone;
      }
    } finally {
      entries.closeSync();
    }
  }
}

function openDirectory(dir: Buffer): fs.Dir {
  const open = () => fs.opendirSync(dir, { encoding: 'buffer' as BufferEncoding });
  try {
    return open();
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw error;
    makeAccessible(dir);
    return open();
  }
}

function removeChild(removal: Work, child: Buffer, moveAway: (child: Buffer) => void): void {
  const stat = look(removal, child);
  if (!stat.isDirectory()) {
    unlink(removal, child, stat);
    return;
  }
  try {
    fs.rmdirSync(child);
  } catch (error) {
    const code = errnoOf(error);
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    moveAway(child);
  }
}

/** A directory that changes its parent must be writable itself, because its `..` changes. */
function moveUp(child: Buffer, up: Buffer): void {
  try {
    fs.renameSync(child, up);
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw error;
    makeAccessible(child);
    fs.renameSync(child, up);
  }
}

/**
 * What has a name, a link itself where it is one. A file system that does not answer is not asked.
 * @throws MountedError for a mount point; a system error
 */
function look({ mount }: Work, entry: Buffer): fs.Stats {
  if (!IS_LINUX || mount === undefined) return fs.lstatSync(entry);
  const fd = fs.openSync(entry, O_PATH | fs.constants.O_NOFOLLOW);
  try {
    if (mountId(fd) !== mount) throw new MountedError(entry.toString());
    return fs.fstatSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function unlink(removal: Removal, file: Buffer, stat: fs.Stats): void {
  fs.unlinkSync(file);
  if (stat.nlink === 1) removal.bytes += diskBytes(stat);
}

/** Runs `action`, which changes entries of `dir`; once more with rights on `dir` when they were what was missing. */
function withRights(dir: Buffer, action: () => void): void {
  try {
    action();
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw error;
    makeAccessible(dir);
    action();
  }
}

/** chmod that follows no link: the handle is opened as a directory or not at all. */
function makeAccessible(dir: Buffer): void {
  const { O_DIRECTORY, O_NOFOLLOW } = fs.constants;
  const handle = fs.openSync(dir, O_PATH | O_DIRECTORY | O_NOFOLLOW);
  try {
    fs.chmodSync(`/proc/self/fd/${handle}`, 0o700);
  } finally {
    fs.closeSync(handle);
  }
}

/** @returns false when it failed, which is written down. */
function attempt(removal: Removal, file: Buffer, action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    // Gone, or swapped for something of another kind, since it was looked at: the next reading meets it as what it is.
    if (['ENOENT', 'EISDIR', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return true;
    const why = `${file.toString()}: ${error instanceof Error ? error.message : String(error)}`;
    // A directory that is read again is met with the same.
    if (removal.problems.length < MAX_PROBLEMS && !removal.problems.includes(why)) removal.problems.push(why);
    return false;
  }
}
