import { createHash, type Hash } from 'node:crypto';
import type fs from 'node:fs';
import { withDirectory, type Directory } from '../../files/directory.js';
import { errnoOf } from '../../files/errno.js';
import type { SessionTree } from '../../task/session-storage.js';
import { TASK_FILES } from '../../task/task-paths.js';
import { diskBytes } from './measure-tree.js';

/** How far a tree is looked at. A task decides how much there is. */
export interface TreeBounds {
  /** How many entries in all. */
  entries: number;
  /** How deep: each directory on the way is held open. */
  depth: number;
  ms: number;
}

const BOUNDS: TreeBounds = { entries: 250_000, depth: 256, ms: 10_000 };

const [NAME_END, ENTRY_END] = [Buffer.from([0]), Buffer.from('\n')];

/** A directory on the way down, and the entries of it that are still to be looked at, the last of them first. */
interface Level {
  directory: Directory;
  path: Buffer;
  names: Buffer[];
}

/** What is found, and what it takes to go on. */
interface Walk extends Omit<SessionTree, 'digest'> {
  bounds: TreeBounds;
  hash: Hash;
  /** Those that are still allowed. */
  left: number;
  until: number;
  /** False: something was left out. */
  isWhole: boolean;
  /** Files with several names that were counted. */
  known: Set<number>;
}

/**
 * What is in the workspace of a session. Only the stats of things are read: no link is followed, nothing but directories opened and no
 * mount entered. Names are taken in the order of their bytes, so that the digest does not depend on the directory's.
 * @param sessions the directory of all sessions. @param id of one
 * @returns undefined: there is no such workspace. Without a digest when not all was looked at, because it may not be read, is in another mount, or is beyond the bounds
 */
export function digestTree(sessions: Directory, id: string, bounds = BOUNDS): SessionTree | undefined {
  try {
    return withDirectory(sessions, [id, TASK_FILES.workspace], (root) => lookAt(root, bounds));
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

function lookAt(root: Directory, bounds: TreeBounds): SessionTree {
  const walk: Walk = {
    ...{ files: 0, directories: 0, others: 0, bytes: 0, disk_bytes: 0 },
    ...{ bounds, hash: createHash('sha256'), left: bounds.entries, until: performance.now() + bounds.ms },
    ...{ isWhole: true, known: new Set<number>() },
  };
  walkThrough(walk, root);
  const { files, directories, others, bytes, disk_bytes, hash, isWhole } = walk;
  const digest = isWhole ? `sha256:${hash.digest('hex')}` : undefined;
  const exact = (sum: number) => Math.min(sum, Number.MAX_SAFE_INTEGER);
  return { files, directories, others, bytes: exact(bytes), disk_bytes: exact(disk_bytes), digest };
}

function walkThrough(walk: Walk, root: Directory): void {
  const way: Level[] = [{ directory: root, path: Buffer.alloc(0), names: namesIn(walk, root) }];
  try {
    for (let level = way.at(-1); level !== undefined; level = way.at(-1)) {
      const name = level.names.pop();
      if (name === undefined) {
        way.pop();
        if (level.directory !== root) level.directory.close();
        continue;
      }
      if (performance.now() > walk.until) {
        walk.isWhole = false;
        return;
      }
      const { directory: parent } = level;
      const stat = ifReadable(walk, () => parent.stat(name));
      if (stat === undefined) continue;
      const path = Buffer.concat([level.path, name]);
      add(walk, path, stat);
      if (!stat.isDirectory()) continue;
      const directory =
        way.length < walk.bounds.depth ? ifReadable(walk, () => parent.directory(name)) : undefined;
      if (directory === undefined) walk.isWhole = false;
      else
        way.push({
          directory,
          path: Buffer.concat([path, Buffer.from('/')]),
          names: namesIn(walk, directory),
        });
    }
  } finally {
    for (const { directory } of way) if (directory !== root) directory.close();
  }
}

/** Counts an entry and takes it into the digest. The times of a directory tell nothing that its entries do not. */
function add(walk: Walk, path: Buffer, stat: fs.Stats): void {
  const kind = stat.isDirectory() ? 'd' : stat.isFile() ? 'f' : 'o';
  const about = kind === 'd' ? [] : [stat.size, stat.mtimeMs, stat.ctimeMs, stat.ino];
  walk.hash
    .update(path)
    .update(NAME_END)
    .update([kind, stat.mode, ...about].join(' '))
    .update(ENTRY_END);
  if (kind === 'd') walk.directories++;
  else if (kind === 'o') walk.others++;
  else if (stat.nlink === 1 || !walk.known.has(stat.ino)) {
    if (stat.nlink > 1) walk.known.add(stat.ino);
    walk.files++;
    walk.bytes += stat.size;
    walk.disk_bytes += diskBytes(stat);
  }
}

/** The last first. More than are allowed are not read. */
function namesIn(walk: Walk, directory: Directory): Buffer[] {
  const names: Buffer[] = [];
  ifReadable(walk, () => {
    for (const name of directory.entries()) {
      if (walk.left === 0) {
        walk.isWhole = false;
        return;
      }
      walk.left--;
      names.push(name);
    }
  });
  return names.sort((a, b) => Buffer.compare(b, a));
}

/** Undefined for what has gone, and what may not be looked at. @throws errors that are no system errors */
function ifReadable<T>(walk: Walk, look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    const code = errnoOf(error);
    if (code === undefined) throw error;
    if (code !== 'ENOENT') walk.isWhole = false;
    return undefined;
  }
}
