import type { Directory } from '../../files/directory.js';
import { isErrno } from '../../files/errno.js';
import type { TaskOwner } from './task-owner.js';
import { TASK_FILES } from '../../task/task-paths.js';
import { moveToTrash } from './trash.js';

const PRIVATE = 0o700;

/**
 * Makes the workspace of a task that has not run yet, and in it the subdirectory that the request names.
 * @param subdir relative, without `..`
 * @param owner the new owner, set through descriptors and innermost directory first, so that nobody can use one too early
 * @throws a system error
 */
export function makeWorkspace(
  taskDir: Directory,
  subdir: string | undefined,
  owner: TaskOwner | undefined,
): void {
  const names = namesIn(subdir);
  if (owner === undefined && names.length === 0) {
    taskDir.addDirectory(TASK_FILES.workspace, PRIVATE);
    return;
  }
  const made: Directory[] = [];
  try {
    made.push(taskDir.makeDirectory(TASK_FILES.workspace, PRIVATE));
    for (const name of names) made.push((made.at(-1) ?? taskDir).makeDirectory(name, PRIVATE));
    if (owner !== undefined) for (const directory of made.toReversed()) directory.chown(owner.uid, owner.gid);
  } finally {
    for (const directory of made) directory.close();
  }
}

/**
 * Makes a workspace that is missing, or in whose place is something else. A workspace that belongs to another user is not
 * entered, because other tasks of that user may be changing it: launching the attempt makes the missing subdirectory as that
 * user.
 * @returns names of what was moved to the trash
 * @throws a system error: ENOTDIR for a link or a file in the place of a directory
 */
export function restoreWorkspace(
  dataDir: string,
  taskDir: Directory,
  subdir: string | undefined,
  owner: TaskOwner | undefined,
): string[] {
  const found = taskDir.stat(TASK_FILES.workspace);
  const isSound = found?.isDirectory() === true && (owner === undefined || found.uid === owner.uid);
  if (isSound) {
    if (owner === undefined) makeMissing(taskDir, subdir);
    return [];
  }
  const trashed = found === undefined ? undefined : moveToTrash(dataDir, taskDir, TASK_FILES.workspace);
  makeWorkspace(taskDir, subdir, owner);
  return trashed === undefined ? [] : [trashed];
}

/**
 * Makes a workspace and the subdirectory in it, as far as they are missing. Only for one that is the daemon's own user's.
 * @param from the directory that it is in
 * @throws a system error: ENOTDIR for a link or a file in the place of a directory
 */
export function makeMissing(from: Directory, subdir: string | undefined): void {
  let at = from;
  try {
    for (const name of [TASK_FILES.workspace, ...namesIn(subdir)]) {
      const next = openOrMake(at, name);
      if (at !== from) at.close();
      at = next;
    }
  } finally {
    if (at !== from) at.close();
  }
}

function openOrMake(parent: Directory, name: string): Directory {
  try {
    return parent.directory(name);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    return parent.makeDirectory(name, PRIVATE);
  }
}

function namesIn(subdir: string | undefined): string[] {
  return (subdir ?? '').split('/').filter((name) => name !== '' && name !== '.');
}
