import fs from 'node:fs';
import { errnoOf } from './errno-of.js';

/** What `du` counts in: the unit of `st_blocks`, whatever the file system's own block size is. */
const BLOCK_BYTES = 512;

/** The space that a file takes on disk, which for a sparse one is less than its length. */
export function diskBytes(stat: fs.Stats): number {
  return stat.blocks * BLOCK_BYTES;
}

/**
 * The disk space of the files below a directory, in bytes: what removing them would give back. Counted are the blocks of
 * files, of one with several names only when all of them are found; not the directories themselves, nor what is nested
 * so deep that its path is too long. Links are not followed. What cannot be read counts nothing.
 */
export function measureTree(root: string): number {
  let bytes = 0;
  const namesSeen = new Map<number, number>();
  const open = [Buffer.from(root)];
  for (let dir = open.pop(); dir !== undefined; dir = open.pop()) {
    for (const name of namesIn(dir)) {
      const entry = Buffer.concat([dir, Buffer.from('/'), name]);
      const stat = lookAt(entry);
      if (stat === undefined) continue;
      if (stat.isDirectory()) open.push(entry);
      else if (stat.nlink === 1) bytes += diskBytes(stat);
      else {
        const seen = (namesSeen.get(stat.ino) ?? 0) + 1;
        namesSeen.set(stat.ino, seen);
        if (seen === stat.nlink) bytes += diskBytes(stat);
      }
    }
  }
  return bytes;
}

function namesIn(dir: Buffer): Buffer[] {
  try {
    // Opening with O_NOFOLLOW is what keeps a directory that was swapped for a link from being followed.
    const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = fs.constants;
    const handle = fs.openSync(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    try {
      return fs.readdirSync(`/proc/self/fd/${handle}`, { encoding: 'buffer' });
    } finally {
      fs.closeSync(handle);
    }
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return [];
  }
}

function lookAt(entry: Buffer): fs.Stats | undefined {
  try {
    return fs.lstatSync(entry, { throwIfNoEntry: false });
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}
