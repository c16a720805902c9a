import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { Directory } from '../../files/directory.js';
import { errnoOf, messageOf } from '../../files/errno.js';
import { MountedError } from '../../files/kind.js';
import { mountId } from '../../files/mount-id.js';
import { IS_LINUX, O_PATH } from '../../files/open-file.js';
import { diskBytes } from './measure-tree.js';

/** The result of a removal. */
export interface Removal {
  /** Disk space freed. A file that has another name elsewhere frees nothing. */
  bytes: number;
  /** Why something is still there, one sentence each and at most {@link MAX_PROBLEMS}; empty when all is gone. */
  problems: string[];
}

/** A hostile tree can hold any number of things that cannot be removed. */
const MAX_PROBLEMS = 10;

/** How often a directory is read at most: something may still be writing to it. */
const MAX_READINGS = 100;

/**
 * Removes one entry of `trash`, whatever a task made of it. Only this process may change `trash` itself; below it any
 * process of the task's user may change anything at any time.
 *
 * No path used here has more than one component below `trash` that is not known to be a directory of its own: a directory
 * that is not empty is renamed up into `trash` and emptied there, and unlink, rmdir and rename never follow a link in the
 * last component. So no link leads out, no depth makes a path too long, and no stack grows with the depth. Nothing on
 * another mount is removed or even looked at: a mount point and the directories above it stay, and are reported.
 * @param name of the entry
 */
export function removeTree(trash: Directory, name: string): Removal {
  const { bytes, problems } = removeIn(trash.entry(), trash.mountId(), name);
  return { bytes, problems: problems.map((problem) => problem.replaceAll(trash.entry(), trash.path)) };
}

/** A removal that is not finished. @property mount the mount that everything must be in */
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
        // To move a directory to another parent it must be writable itself, because its `..` changes.
        withRights(child, () => {
          fs.renameSync(child, up);
        });
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

/** Removes all children of a directory that is directly in the trash; those that are not empty are given to `moveAway`. */
function empty(removal: Work, dir: Buffer, moveAway: (child: Buffer) => void): void {
  // Entries that are removed while the directory is read may hide others, so it is read again until nothing is left to do.
  let progress = true;
  for (let reading = 0; progress && reading < MAX_READINGS; reading++) {
    progress = false;
    const entries = withRights(dir, () => fs.opendirSync(dir, { encoding: 'buffer' as BufferEncoding }));
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

/**
 * The stats of an entry, of the link itself if it is one. A file system that does not answer is not asked.
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

/** Runs `action`, which needs rights on `dir`; where these were missing, gets them and runs it once more. */
function withRights<T>(dir: Buffer, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw error;
    makeAccessible(dir);
    return action();
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

/** @returns false when it failed, which is added to the problems. */
function attempt(removal: Removal, file: Buffer, action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    // It has gone, or been replaced by something of another kind, since it was looked at: the next reading will see that.
    if (['ENOENT', 'EISDIR', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return true;
    const why = `${file.toString()}: ${messageOf(error)}`;
    // A directory that is read again gives the same problems again.
    if (removal.problems.length < MAX_PROBLEMS && !removal.problems.includes(why)) removal.problems.push(why);
    return false;
  }
}
