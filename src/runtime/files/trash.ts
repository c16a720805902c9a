import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { makeDirectories } from '../../files/make-directories.js';
import { withDirectory, type Directory } from '../../files/directory.js';
import { isErrno } from '../../files/errno.js';
import { MountedError } from '../../files/kind.js';
import { TASKS, TRASH } from '../../task/task-paths.js';

/**
 * Moves an entry of any kind into `trash/` under a unique name.
 * @param from the directory that it is in. @param name as bytes if it may not be valid text
 * @returns its name there, or undefined when there was no such entry
 * @throws MountedError for a mount point; a system error
 */
export function moveToTrash(dataDir: string, from: Directory, name: string | Buffer): string | undefined {
  makeDirectories(path.join(dataDir, TRASH), 0o700);
  return withDirectory(dataDir, [TRASH], (trash) => {
    const target = `${typeof name === 'string' ? nameInTrash(name) : 'orphan'}.${randomUUID()}`;
    const move = () => {
      from.rename(name, target, trash);
    };
    try {
      move();
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      if (isErrno(error, 'EBUSY')) throw new MountedError(path.join(from.path, name.toString()));
      if (!isErrno(error, 'EACCES')) throw error;
      // To move a directory to another parent, both it and its parent must be writable.
      openUp(from, name);
      move();
    }
    return target;
  });
}

/** Moves a task's directory back out of the trash. @throws a system error */
export function putBack(dataDir: string, taskId: string, trashed: string): void {
  withDirectory(dataDir, [TASKS], (tasks) => {
    withDirectory(dataDir, [TRASH], (trash) => {
      trash.rename(trashed, taskId, tasks);
    });
  });
}

/**
 * The part of the name in the trash that tells people which task it was. Shortened and made plain, because ids of the older
 * runtime may be as long as a name can be, and contain any blank.
 */
function nameInTrash(name: string): string {
  return name.replace(/[^A-Za-z0-9._-]/g, '_').slice(0, 128);
}

function openUp(from: Directory, name: string | Buffer): void {
  if ((from.self().mode & 0o300) !== 0o300) from.chmod(0o700);
  if (from.stat(name)?.isDirectory() !== true) return;
  const closed = from.directory(name);
  try {
    closed.chmod(0o700);
  } finally {
    closed.close();
  }
}
