import type fs from 'node:fs';
import { withDirectory, type Directory } from '../../files/directory.js';
import { errnoOf } from '../../files/errno.js';

/** The unit of `st_blocks`, whatever the file system's own block size is. */
const BLOCK_BYTES = 512;

/** How deep a tree is looked into: each directory on the way is held open, and a task decides how many there are. */
const MAX_DEPTH = 256;

/** The space that a file takes on disk, which for a sparse file is less than its length. */
export function diskBytes(stat: fs.Stats): number {
  return stat.blocks * BLOCK_BYTES;
}

/** A directory on the way down, and the entries of it that are still to be looked at. */
interface Level {
  directory: Directory;
  names: Buffer[];
}

/**
 * The disk space of the files below a directory, in bytes: what removing them would free. Counts the blocks of files, of a
 * file with several names only if all of them are found; neither directories themselves, nor files that are more than 256
 * deep or on another file system. Links are not followed. What cannot be read counts as 0.
 * @param parent the directory that it is in. @param name of it
 */
export function measureTree(parent: Directory, name: string): number {
  try {
    return withDirectory(parent, [name], (root) => measure(root));
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return 0;
  }
}

function measure(root: Directory): number {
  const device = root.self().dev;
  const namesSeen = new Map<number, number>();
  let bytes = 0;
  const way: Level[] = [{ directory: root, names: namesIn(root) }];
  try {
    for (let level = way.at(-1); level !== undefined; level = way.at(-1)) {
      const name = level.names.pop();
      if (name === undefined) {
        way.pop();
        if (level.directory !== root) level.directory.close();
        continue;
      }
      const stat = ifReadable(() => level.directory.stat(name));
      if (stat?.dev !== device) continue;
      if (stat.isDirectory()) {
        const directory =
          way.length < MAX_DEPTH ? ifReadable(() => level.directory.directory(name)) : undefined;
        if (directory !== undefined) way.push({ directory, names: namesIn(directory) });
      } else if (stat.nlink === 1) bytes += diskBytes(stat);
      else {
        const seen = (namesSeen.get(stat.ino) ?? 0) + 1;
        namesSeen.set(stat.ino, seen);
        if (seen === stat.nlink) bytes += diskBytes(stat);
      }
    }
  } finally {
    for (const { directory } of way) if (directory !== root) directory.close();
  }
  return bytes;
}

function namesIn(directory: Directory): Buffer[] {
  return ifReadable(() => directory.names()) ?? [];
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
