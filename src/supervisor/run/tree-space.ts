import type fs from 'node:fs';
import type { Directory } from '../../files/directory.js';
import { errnoOf } from '../../files/errno.js';

/** The unit of `st_blocks`, whatever the file system's own block size is. */
const BLOCK_BYTES = 512;
/** How deep a tree may be: two descriptors are held for each directory on the way, and a task decides how many there are. */
const MAX_DEPTH = 128;
/** What an empty directory may take: it was there before the task wrote anything. */
const EMPTY_BYTES = 4096;

/** A directory on the way down, and the names in it that have not been looked at. */
interface Level {
  directory: Directory;
  names: Generator<Buffer, undefined>;
}

/**
 * The disk space of a directory and all below it, piece by piece, in bytes: the blocks of files and directories, of a file with
 * several names a part for each name. Links are not followed, and nothing in another mount counts, nor what cannot be read.
 * The tree may change meanwhile: what is moved may be missed, or come twice.
 * @returns false when it is too deep to be measured
 */
export function* spaceOf(root: Directory): Generator<number, boolean> {
  const self = root.self();
  // A task can make parts of one mount that are other devices. Where nobody tells mounts apart, devices have to do.
  const device = root.mountId() === undefined ? self.dev : undefined;
  yield Math.max(0, self.blocks * BLOCK_BYTES - EMPTY_BYTES);
  const way: Level[] = [{ directory: root, names: root.entries() }];
  try {
    for (let level = way.at(-1); level !== undefined; level = way.at(-1)) {
      const { directory, names } = level;
      const name = ifReadable(() => names.next())?.value;
      if (name === undefined) {
        leave(way, root);
        continue;
      }
      const stat = ifReadable(() => directory.stat(name));
      if (stat === undefined || (device !== undefined && stat.dev !== device)) continue;
      yield bytesOf(stat);
      if (!stat.isDirectory()) continue;
      if (way.length === MAX_DEPTH) return false;
      const inner = ifReadable(() => directory.directory(name));
      if (inner !== undefined) way.push({ directory: inner, names: inner.entries() });
    }
    return true;
  } finally {
    while (way.length > 0) leave(way, root);
  }
}

function bytesOf(stat: fs.Stats): number {
  const bytes = stat.blocks * BLOCK_BYTES;
  return stat.isDirectory() ? bytes : bytes / Math.max(1, stat.nlink);
}

function leave(way: Level[], root: Directory): void {
  const level = way.pop();
  level?.names.return(undefined);
  if (level?.directory !== root) level?.directory.close();
}

/** Undefined when it has gone or may not be read. @throws errors that are no system errors */
function ifReadable<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}
