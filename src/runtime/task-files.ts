import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { TaskPaths } from '../store/records.js';
import type { Execution, TaskRequest } from '../task/request.js';
import { withDirectory, type Directory } from '../files/directory.js';
import { isErrno } from '../files/errno.js';
import { replaceFile } from '../files/replace-file.js';
import { giveDirectories, lendScript, letThrough, type TaskOwner } from './task-owner.js';

/** Names inside the data directory. */
export const TASKS = 'tasks';
export const TRASH = 'trash';

const PRIVATE = 0o700;

/** File names of scripts, by a word in the interpreter's name. */
const SCRIPT_ENDINGS: readonly (readonly [word: string, ending: string])[] = [
  ['python', 'py'],
  ['zsh', 'zsh'],
  ['node', 'js'],
];

/** Where a task's files are: `tasks/<id>/…`, all absolute. */
export function taskPaths(dataDir: string, taskId: string, request: TaskRequest): TaskPaths {
  const dir = path.join(dataDir, 'tasks', taskId);
  const workspace = path.join(dir, 'workspace', request.sandbox.workspace_subdir ?? '');
  return {
    task_dir: dir,
    workspace_dir: workspace,
    request_path: path.join(dir, 'request.json'),
    result_path: path.join(dir, 'result.json'),
    stdout_path: path.join(dir, 'stdout.log'),
    stderr_path: path.join(dir, 'stderr.log'),
    script_path: request.execution.kind === 'script' ? path.join(dir, scriptName(request.execution)) : null,
  };
}

/** Where the last bytes of a stream that passed its cap stand. */
export function tailPath(logPath: string): string {
  return logPath.replace(/\.log$/, '.tail');
}

function scriptName(execution: Execution): string {
  const interpreter = execution.interpreter?.join(' ') ?? '';
  const ending = SCRIPT_ENDINGS.find(([word]) => interpreter.includes(word))?.[1] ?? 'sh';
  return `script.${ending}`;
}

/**
 * Makes the directory of a task that has just been inserted, with request and script. With an owner the task can enter its
 * workspace, which belongs to it, and read its script; the other files are closed to it. A directory that is there
 * without a row is moved into `trash/`, so that an id that is used again meets nothing old.
 * @throws a system error (ENOSPC, EACCES, …); what was made so far is then gone again
 */
export function createTaskFiles(
  dataDir: string,
  paths: TaskPaths,
  request: TaskRequest,
  owner?: TaskOwner,
): void {
  try {
    fs.mkdirSync(paths.task_dir, 0o700);
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
    withDirectory(dataDir, [TASKS], (tasks) => moveToTrash(dataDir, tasks, path.basename(paths.task_dir)));
    fs.mkdirSync(paths.task_dir, 0o700);
  }
  try {
    fillTaskDir(paths, request, owner);
  } catch (error) {
    fs.rmSync(paths.task_dir, { recursive: true, force: true });
    throw error;
  }
}

/** Makes whatever a crash of the machine has eaten: the row is the truth, the files are copies. */
export function restoreTaskFiles(paths: TaskPaths, request: TaskRequest, owner?: TaskOwner): void {
  fs.mkdirSync(paths.task_dir, { recursive: true, mode: 0o700 });
  fillTaskDir(paths, request, owner);
}

function fillTaskDir(paths: TaskPaths, request: TaskRequest, owner: TaskOwner | undefined): void {
  fs.mkdirSync(paths.workspace_dir, { recursive: true, mode: 0o700 });
  if (owner !== undefined) {
    letThrough(paths.task_dir, owner);
    giveDirectories(paths.task_dir, paths.workspace_dir, owner);
  }
  fs.writeFileSync(paths.request_path, `${JSON.stringify(request, null, 2)}\n`, { mode: 0o600 });
  if (paths.script_path === null) return;
  fs.writeFileSync(paths.script_path, request.execution.script ?? '', { mode: 0o700 });
  if (owner !== undefined) lendScript(paths.script_path, owner);
}

/** Renames a task's directory out of the trash again. @throws a system error */
export function putBack(dataDir: string, taskId: string, trashed: string): void {
  withDirectory(dataDir, [TASKS], (tasks) => {
    withDirectory(dataDir, [TRASH], (trash) => {
      trash.rename(trashed, taskId, tasks);
    });
  });
}

/** What the daemon says of a task once that has ended. */
const RESULT_FILE = 'result.json';

/**
 * Opens a task's directory for the time of `use`. The task may have put anything there, and anything in its place.
 * @throws a system error: ENOENT, or ENOTDIR where something else has its name
 */
export function inTaskDir<T>(dataDir: string, taskId: string, use: (directory: Directory) => T): T {
  return withDirectory(dataDir, [TASKS, taskId], use);
}

/**
 * Writes `result.json` so that a reader sees all of it or nothing. A directory that the task has put in its place goes into
 * `trash/`, and a task's directory that was closed to the daemon, whose it is, is opened again.
 * @returns the name of what is in the trash now
 * @throws a system error (ENOSPC, …) when it cannot be written all the same; nothing unfinished is left then
 */
export function writeResult(dataDir: string, taskId: string, json: readonly Buffer[]): string | undefined {
  return inTaskDir(dataDir, taskId, (directory) => {
    const write = () => {
      replaceFile(directory, RESULT_FILE, json, { mode: 0o600 });
    };
    try {
      write();
    } catch (error) {
      if (isErrno(error, 'EISDIR')) {
        const trashed = moveToTrash(dataDir, directory, RESULT_FILE);
        write();
        return trashed;
      }
      if (!isErrno(error, 'EACCES')) throw error;
      directory.chmod(PRIVATE);
      write();
    }
    return undefined;
  });
}

/** What tells people whose it was: an id of the older runtime may fill a name up by itself, and hold any blank. */
function nameInTrash(name: string): string {
  return name.replace(/[^A-Za-z0-9._-]/g, '_').slice(0, 128);
}

/**
 * Renames an entry, whatever it is, into `trash/` under a unique name.
 * @param from the directory that it is in. @param name as bytes where it may be no text
 * @returns its name there, or undefined when there was none
 * @throws a system error
 */
export function moveToTrash(dataDir: string, from: Directory, name: string | Buffer): string | undefined {
  fs.mkdirSync(path.join(dataDir, TRASH), { recursive: true, mode: PRIVATE });
  return withDirectory(dataDir, [TRASH], (trash) => {
    const target = `${typeof name === 'string' ? nameInTrash(name) : 'orphan'}.${randomUUID()}`;
    const move = () => {
      from.rename(name, target, trash);
    };
    try {
      move();
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      if (!isErrno(error, 'EACCES')) throw error;
      // What changes its parent must be writable itself.
      const closed = from.directory(name);
      try {
        closed.chmod(PRIVATE);
      } finally {
        closed.close();
      }
      move();
    }
    return target;
  });
}
