import fs from 'node:fs';
import { withDirectory, type Directory } from '../../files/directory.js';
import { withKeptDirectory } from '../../files/kept-directory.js';
import { isErrno } from '../../files/errno.js';
import { MountedError } from '../../files/kind.js';
import { replaceFile } from '../../files/replace-file.js';
import type { TaskRequest } from '../../task/request.js';
import { sessionOf } from '../../task/session-of.js';
import { lendScript, letThrough, type TaskOwner } from './task-owner.js';
import { directoryName, logName, scriptName, tailName, TASK_FILES, TASKS } from '../../task/task-paths.js';
import { restoreSessionFiles } from './session-files.js';
import { moveToTrash } from './trash.js';
import { makeWorkspace, restoreWorkspace } from './workspace.js';

const PRIVATE = 0o700;

/**
 * Makes the directory of a task that has just been inserted, with request and script. With an owner, the task can enter its
 * workspace, which belongs to it, and read its script; the other files are closed to it. A directory that is there without a
 * row is moved into `trash/`, so that a task with the same id finds nothing old.
 * @throws a system error (ENOSPC, EACCES, …); what was made so far has been removed then
 */
export function createTaskFiles(
  dataDir: string,
  taskId: string,
  request: TaskRequest,
  owner?: TaskOwner,
): void {
  withKeptDirectory(dataDir, [TASKS], (tasks) => {
    const directory = makeAnew(dataDir, tasks, taskId);
    try {
      if (owner !== undefined) letThrough(directory, owner);
      if (sessionOf(request) === undefined) makeWorkspace(directory, request.sandbox.workspace_subdir, owner);
      for (const file of filesOf(request, owner)) makeFile(directory, file);
    } catch (error) {
      remove(tasks, taskId);
      throw error;
    } finally {
      directory.close();
    }
  });
}

/** Removes the directory of a task that was not inserted in the end; no task has used it. @throws a system error */
export function removeTaskFiles(dataDir: string, taskId: string): void {
  withDirectory(dataDir, [TASKS], (tasks) => {
    remove(tasks, taskId);
  });
}

function remove(tasks: Directory, taskId: string): void {
  fs.rmSync(tasks.entry(taskId), { recursive: true, force: true });
}

/**
 * Makes again what is missing after a crash of the machine, or was damaged: files are copies of the row. The program has not
 * run yet, or not for this attempt, so anything else that is in the place of a directory or file of ours is moved into `trash/`. A
 * workspace stays as an earlier attempt has left it.
 * @param attempt the one that is to begin
 * @returns names of what was moved to the trash
 * @throws a system error
 */
export function restoreTaskFiles(
  dataDir: string,
  taskId: string,
  request: TaskRequest,
  attempt: number,
  owner?: TaskOwner,
): string[] {
  const trashed: string[] = [];
  withDirectory(dataDir, [TASKS], (tasks) => {
    const directory = openOrMake(dataDir, tasks, taskId, trashed);
    try {
      if (owner === undefined && (directory.self().mode & 0o777) !== PRIVATE) directory.chmod(PRIVATE);
      letThrough(directory, owner);
      trashed.push(...restoreAnyWorkspace(dataDir, directory, request, owner));
      trashed.push(...makeWayForOutput(dataDir, directory, attempt));
      for (const { name, text, mode, prepare } of filesOf(request, owner))
        trashed.push(...replace(dataDir, directory, name, [text], { mode, prepare }));
    } finally {
      directory.close();
    }
  });
  return trashed;
}

function restoreAnyWorkspace(
  dataDir: string,
  directory: Directory,
  request: TaskRequest,
  owner: TaskOwner | undefined,
): string[] {
  const session = sessionOf(request);
  const { workspace_subdir: subdir } = request.sandbox;
  return session === undefined
    ? restoreWorkspace(dataDir, directory, subdir, owner)
    : restoreSessionFiles(dataDir, session, subdir, owner);
}

/**
 * Writes `result.json` so that a reader sees all of it or nothing. A directory in its place is moved into `trash/`. If the
 * task has taken away the daemon's rights to the task's directory, which the daemon owns, they are set again.
 * @returns names of what was moved to the trash
 * @throws a system error (ENOSPC, …) when it cannot be written; nothing unfinished is left then
 */
export function writeResult(dataDir: string, taskId: string, json: readonly Buffer[]): string[] {
  return inTaskDir(dataDir, taskId, (directory) => {
    const write = () => replace(dataDir, directory, TASK_FILES.result, json, { mode: 0o600 });
    try {
      return write();
    } catch (error) {
      if (!isErrno(error, 'EACCES')) throw error;
      directory.chmod(PRIVATE);
      return write();
    }
  });
}

/**
 * Calls `use` with a task's directory. The task may have put anything in it, or in its place.
 * @throws a system error: ENOENT, or ENOTDIR when something else has its name
 */
export function inTaskDir<T>(dataDir: string, taskId: string, use: (directory: Directory) => T): T {
  return withKeptDirectory(dataDir, [TASKS, directoryName(taskId)], use);
}

/**
 * Of what an earlier attempt has put where the output of the next is to go, the supervisor takes away all but directories. A mount
 * point stays, and the output is not kept.
 */
function makeWayForOutput(dataDir: string, directory: Directory, attempt: number): string[] {
  const streams = ['stdout', 'stderr'] as const;
  const names = streams.flatMap((stream) => [logName(stream, attempt), tailName(stream, attempt)]);
  return names.flatMap((name) => {
    if (directory.stat(name)?.isDirectory() !== true) return [];
    try {
      return moveToTrash(dataDir, directory, name) ?? [];
    } catch (error) {
      if (error instanceof MountedError) return [];
      throw error;
    }
  });
}

/** A file that the daemon makes from a row. */
interface OwnFile {
  name: string;
  text: Buffer;
  mode: number;
  prepare?: ((fd: number) => void) | undefined;
}

function filesOf(request: TaskRequest, owner: TaskOwner | undefined): OwnFile[] {
  const json = Buffer.from(`${JSON.stringify(request, null, 2)}\n`);
  const script = scriptName(request.execution);
  const prepare =
    owner === undefined
      ? undefined
      : (fd: number) => {
          lendScript(fd, owner);
        };
  return [
    { name: TASK_FILES.request, text: json, mode: 0o600 },
    ...(script === undefined
      ? []
      : [{ name: script, text: Buffer.from(request.execution.script ?? ''), mode: PRIVATE, prepare }]),
  ];
}

function makeFile(directory: Directory, { name, text, mode, prepare }: OwnFile): void {
  const fd = directory.makeFile(name, mode);
  try {
    fs.writeFileSync(fd, text);
    prepare?.(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** @returns names of what was moved to the trash: a directory in the place of the file */
function replace(
  dataDir: string,
  directory: Directory,
  name: string,
  pieces: readonly Buffer[],
  options: Parameters<typeof replaceFile>[3],
): string[] {
  try {
    replaceFile(directory, name, pieces, options);
    return [];
  } catch (error) {
    if (!isErrno(error, 'EISDIR')) throw error;
    const trashed = moveToTrash(dataDir, directory, name);
    replaceFile(directory, name, pieces, options);
    return trashed === undefined ? [] : [trashed];
  }
}

function makeAnew(dataDir: string, tasks: Directory, taskId: string): Directory {
  try {
    return tasks.makeDirectory(taskId, PRIVATE);
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
    moveToTrash(dataDir, tasks, taskId);
    return tasks.makeDirectory(taskId, PRIVATE);
  }
}

function openOrMake(dataDir: string, tasks: Directory, taskId: string, trashed: string[]): Directory {
  try {
    return tasks.directory(taskId);
  } catch (error) {
    if (!isErrno(error, 'ENOTDIR', 'ENOENT')) throw error;
    const moved = moveToTrash(dataDir, tasks, taskId);
    if (moved !== undefined) trashed.push(moved);
    return tasks.makeDirectory(taskId, PRIVATE);
  }
}
