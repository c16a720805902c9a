import { createHash } from 'node:crypto';
import path from 'node:path';
import { canNameDirectory } from './ids.js';
import type { Execution, TaskRequest } from './request.js';
import { sessionOf } from './session-of.js';

/** Names in the data directory. */
export const TASKS = 'tasks';
export const TRASH = 'trash';
export const SESSIONS = 'sessions';

/** Names in a task's directory. */
export const TASK_FILES = { workspace: 'workspace', request: 'request.json', result: 'result.json' } as const;

/** File name endings of scripts, by a word in the interpreter's name. */
const SCRIPT_ENDINGS: readonly (readonly [word: string, ending: string])[] = [
  ['python', 'py'],
  ['zsh', 'zsh'],
  ['node', 'js'],
];

/** The paths of a task's files, absolute. */
export interface TaskPaths {
  task_dir: string;
  /** The directory in which the program starts, unless the request names another. */
  workspace_dir: string;
  request_path: string;
  result_path: string;
  stdout_path: string;
  stderr_path: string;
  script_path: string | undefined;
}

/**
 * The paths of a task's files, `tasks/<id>/…`. They follow from the id, so that the data directory can be moved.
 * @param dataDir absolute, without a `/` at its end
 * @param attempt whose output it is, from 1 on
 */
export function taskPaths(dataDir: string, taskId: string, request: TaskRequest, attempt: number): TaskPaths {
  const dir = `${dataDir}/${TASKS}/${directoryName(taskId)}`;
  const workspace = `${dataDir}/${workspaceNames(taskId, request).join('/')}`;
  const { workspace_subdir: subdir } = request.sandbox;
  const script = scriptName(request.execution);
  return {
    task_dir: dir,
    workspace_dir: subdir === undefined ? workspace : path.join(workspace, subdir),
    request_path: `${dir}/${TASK_FILES.request}`,
    result_path: `${dir}/${TASK_FILES.result}`,
    stdout_path: `${dir}/${logName('stdout', attempt)}`,
    stderr_path: `${dir}/${logName('stderr', attempt)}`,
    script_path: script === undefined ? undefined : `${dir}/${script}`,
  };
}

/** The way to the workspace of a task from the data directory: its own, or that of its session. */
export function workspaceNames(
  taskId: string,
  request: TaskRequest,
): [room: string, owner: string, workspace: string] {
  const session = sessionOf(request);
  return session === undefined
    ? [TASKS, directoryName(taskId), TASK_FILES.workspace]
    : [SESSIONS, session, TASK_FILES.workspace];
}

/** The file with the first bytes of a stream. @param attempt from 1 on */
export function logName(stream: 'stdout' | 'stderr', attempt: number): string {
  return `${streamOf(stream, attempt)}.log`;
}

/** The ring file with the last bytes of a stream of which some were not kept. */
export function tailName(stream: 'stdout' | 'stderr', attempt: number): string {
  return `${streamOf(stream, attempt)}.tail`;
}

/** Each attempt after the first has files of its own, so that a new one touches nothing of those before it. */
function streamOf(stream: 'stdout' | 'stderr', attempt: number): string {
  return attempt <= 1 ? stream : `${stream}.${attempt}`;
}

/** The file that a script is written to; undefined for a command. */
export function scriptName(execution: Execution): string | undefined {
  if (execution.kind !== 'script') return undefined;
  const interpreter = execution.interpreter?.join(' ') ?? '';
  const ending = SCRIPT_ENDINGS.find(([word]) => interpreter.includes(word))?.[1] ?? 'sh';
  return `script.${ending}`;
}

/**
 * The name of a task's directory. A task whose id cannot name a directory has no files: it gets a name under which nothing
 * is ever made.
 */
export function directoryName(taskId: string): string {
  return canNameDirectory(taskId) ? taskId : `%${createHash('sha256').update(taskId).digest('hex')}`;
}
