import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { TaskPaths } from '../store/records.js';
import type { Execution, TaskRequest } from '../task/request.js';
import { isErrno } from './errno.js';
import { giveDirectories, lendScript, letThrough, type TaskOwner } from './task-owner.js';

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
    moveToTrash(dataDir, paths.task_dir);
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

/**
 * Writes `result.json` under a temporary name and renames it, so that a reader sees all of it or nothing.
 * @throws a system error (ENOSPC, …); the temporary file is then gone again
 */
export function writeResult(resultPath: string, json: readonly Buffer[]): void {
  const temporary = `${resultPath}.tmp`;
  try {
    writePieces(temporary, json);
    fs.renameSync(temporary, resultPath);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
}

/** Below this, one copy costs less than further writes. */
const COPY_BYTES = 65_536;

/** Long ones are not copied into one: both outputs together have up to 8 MiB, and six times that once encoded. */
function writePieces(path: string, pieces: readonly Buffer[]): void {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const fd = fs.openSync(path, 'w', 0o600);
  try {
    for (const piece of length <= COPY_BYTES ? [Buffer.concat(pieces, length)] : pieces)
      for (let at = 0; at < piece.length;) at += fs.writeSync(fd, piece, at, piece.length - at);
  } finally {
    fs.closeSync(fd);
  }
}

/**
 * Renames a task's directory into `trash/` under a unique name.
 * @param taskDir as bytes where it may have a name that is no text
 * @returns its new path, or undefined when there was none
 */
export function moveToTrash(dataDir: string, taskDir: string | Buffer): string | undefined {
  const trash = path.join(dataDir, 'trash');
  fs.mkdirSync(trash, { recursive: true, mode: 0o700 });
  const name = typeof taskDir === 'string' ? path.basename(taskDir).slice(0, 128) : 'orphan';
  const target = path.join(trash, `${name}.${randomUUID()}`);
  try {
    fs.renameSync(taskDir, target);
    return target;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
