import fs from 'node:fs';
import { withDirectory, type Directory } from '../../files/directory.js';
import { findUser } from '../../sandbox/process/user.js';
import { invalidInput } from '../../task/errors.js';

/** User and group number of tasks, when they do not run as the daemon's own user. */
export interface TaskOwner {
  uid: number;
  gid: number;
}

/**
 * @param user given with `--task-user`
 * @returns the user of tasks; undefined for the daemon's own user, and when the daemon is not root and cannot switch: then
 *   each task is refused
 * @throws ExecgoError `invalid_input` for a user that does not exist
 */
export function taskOwnerOf(user: string | undefined): TaskOwner | undefined {
  if (user === undefined || process.getuid?.() !== 0) return undefined;
  const found = findUser(user);
  if (found === undefined)
    throw invalidInput(
      `--task-user: there is no user ${JSON.stringify(user)} here; name one, or make it with useradd`,
    );
  return found;
}

/** Others may pass through the directory but not list it; each file in it keeps its own mode. */
export const PASSABLE = 0o710;
const PRIVATE = 0o700;

/**
 * Lets tasks of another user, and nobody else, pass through a directory on the way to their workspace. Without such a user
 * the directory is closed again if it was open.
 * @param directory one of the daemon's own, which no task can replace
 * @throws a system error
 */
export function letThrough(directory: Directory | string, owner: TaskOwner | undefined): void {
  if (typeof directory === 'string') {
    withDirectory(directory, [], (opened) => {
      letThrough(opened, owner);
    });
    return;
  }
  const { mode, gid } = directory.self();
  if (owner !== undefined) {
    if (gid !== owner.gid) directory.chown(daemonUid(), owner.gid);
    directory.chmod(PASSABLE);
  } else if ((mode & 0o777) === PASSABLE) directory.chmod(PRIVATE);
}

/**
 * Lets tasks of another user read and execute their script, but not change it.
 * @param fd of a file that was just made
 * @throws a system error
 */
export function lendScript(fd: number, owner: TaskOwner): void {
  fs.fchownSync(fd, daemonUid(), owner.gid);
  fs.fchmodSync(fd, 0o750);
}

function daemonUid(): number {
  return process.getuid?.() ?? 0;
}
