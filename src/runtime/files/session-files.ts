import fs from 'node:fs';
import { withDirectory, type Directory } from '../../files/directory.js';
import { isErrno } from '../../files/errno.js';
import { unfinishedName } from '../../files/replace-file.js';
import { SESSIONS, TASK_FILES } from '../../task/task-paths.js';
import { letThrough, type TaskOwner } from './task-owner.js';
import { moveToTrash } from './trash.js';
import { makeMissing, makeWorkspace } from './workspace.js';

const PRIVATE = 0o700;

/**
 * Makes the directory of a session that has just been inserted, with an empty workspace. What is there without a row is moved into
 * `trash/`.
 * @throws a system error (ENOSPC, EACCES, …); what was made so far has been removed then
 */
export function createSessionFiles(dataDir: string, sessionId: string, owner: TaskOwner | undefined): void {
  withDirectory(dataDir, [SESSIONS], (sessions) => {
    moveToTrash(dataDir, sessions, sessionId);
    const directory = sessions.makeDirectory(sessionId, PRIVATE);
    try {
      letThrough(directory, owner);
      makeWorkspace(directory, undefined, owner);
    } catch (error) {
      remove(sessions, sessionId);
      throw error;
    } finally {
      directory.close();
    }
  });
}

/** Removes the directory of a session that was not inserted in the end; nobody has used it. @throws a system error */
export function removeSessionFiles(dataDir: string, sessionId: string): void {
  withDirectory(dataDir, [SESSIONS], (sessions) => {
    remove(sessions, sessionId);
  });
}

function remove(sessions: Directory, sessionId: string): void {
  fs.rmSync(sessions.entry(sessionId), { recursive: true, force: true });
}

/**
 * Makes again what is missing of the directory of a session, or has something else in its place; what is in its workspace stays.
 * @param subdir the directory in the workspace in which a task starts; a task of another user makes its own as it is launched
 * @returns names of what was moved to the trash
 * @throws Error for people when the workspace is another user's, whose files tasks could not use; a system error
 */
export function restoreSessionFiles(
  dataDir: string,
  sessionId: string,
  subdir: string | undefined,
  owner: TaskOwner | undefined,
): string[] {
  return withDirectory(dataDir, [SESSIONS], (sessions) => {
    const trashed: string[] = [];
    const directory = openOrMake(dataDir, sessions, sessionId, trashed);
    try {
      if (owner === undefined && (directory.self().mode & 0o777) !== PRIVATE) directory.chmod(PRIVATE);
      letThrough(directory, owner);
      const found = directory.stat(TASK_FILES.workspace);
      if (found?.isDirectory() === true) {
        if (owner !== undefined && found.uid !== owner.uid)
          throw new Error(
            `the workspace of session ${sessionId} belongs to user ${found.uid}, and tasks run as user ${owner.uid}: ` +
              `chown -R ${owner.uid}:${owner.gid} ${directory.path}/${TASK_FILES.workspace}`,
          );
      } else {
        if (found !== undefined)
          trashed.push(...[moveToTrash(dataDir, directory, TASK_FILES.workspace) ?? []].flat());
        makeWorkspace(directory, undefined, owner);
      }
      if (owner === undefined) makeMissing(directory, subdir);
    } finally {
      directory.close();
    }
    return trashed;
  });
}

/** False when there is no directory in the place of a session's workspace. @throws a system error */
export function hasWorkspace(dataDir: string, sessionId: string): boolean {
  try {
    return withDirectory(
      dataDir,
      [SESSIONS, sessionId],
      (directory) => directory.stat(TASK_FILES.workspace)?.isDirectory() === true,
    );
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}

/** Moves the directory of a session into `trash/`. @returns its name there; undefined when there was none */
export function trashSession(dataDir: string, sessionId: string | Buffer): string | undefined {
  return withDirectory(dataDir, [SESSIONS], (sessions) => moveToTrash(dataDir, sessions, sessionId));
}

function openOrMake(dataDir: string, sessions: Directory, sessionId: string, trashed: string[]): Directory {
  try {
    return sessions.directory(sessionId);
  } catch (error) {
    if (!isErrno(error, 'ENOTDIR', 'ENOENT')) throw error;
    const moved = moveToTrash(dataDir, sessions, sessionId);
    if (moved !== undefined) trashed.push(moved);
    return sessions.makeDirectory(sessionId, PRIVATE);
  }
}

/**
 * Removes what uploads have left that the crash of an earlier daemon has cut off. They lie beside the workspace.
 * @throws a system error
 */
export function removeUploads(dataDir: string, sessionId: string): void {
  try {
    withDirectory(dataDir, [SESSIONS, sessionId], (directory) => {
      for (const name of directory.names().map(String))
        if (unfinishedName(name) !== undefined && isOlder(directory, name)) directory.unlink(name);
    });
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
  }
}

function isOlder(directory: Directory, name: string): boolean {
  return (directory.stat(name)?.ctimeMs ?? Infinity) < performance.timeOrigin;
}
