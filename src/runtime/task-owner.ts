import fs from 'node:fs';
import path from 'node:path';

/** User and group number that tasks run as, where that is not the daemon's own user. */
export interface TaskOwner {
  uid: number;
  gid: number;
}

/** Search, without reading or writing: names inside cannot be listed, and each file keeps its own mode. */
export const PASSABLE = 0o710;
const PRIVATE = 0o700;

/**
 * Lets tasks of another user through a directory on the way to their workspace, and nobody else. Without such a user it is
 * closed again, where it was open.
 * @throws a system error
 */
export function letThrough(dir: string, owner: TaskOwner | undefined): void {
  if (owner !== undefined) {
    fs.chownSync(dir, process.getuid?.() ?? 0, owner.gid);
    fs.chmodSync(dir, PASSABLE);
  } else if ((fs.statSync(dir).mode & 0o777) === PASSABLE) fs.chmodSync(dir, PRIVATE);
}

/**
 * Gives a task its workspace, which no task has been in yet: `dir` and what is above it up to `base`, which is left alone.
 * @param base absolute; `dir` lies below it
 * @throws a system error
 */
export function giveDirectories(base: string, dir: string, owner: TaskOwner): void {
  for (let at = dir; at.startsWith(`${base}${path.sep}`); at = path.dirname(at))
    fs.lchownSync(at, owner.uid, owner.gid);
}

/**
 * Lets tasks of another user read and execute a script of theirs, and not change it.
 * @throws a system error
 */
export function lendScript(file: string, owner: TaskOwner): void {
  fs.lchownSync(file, process.getuid?.() ?? 0, owner.gid);
  fs.chmodSync(file, 0o750);
}
