import { createHash } from 'node:crypto';
import path from 'node:path';
import { canNameDirectory } from './ids.js';
import type { Execution, TaskRequest } from './request.js';

/** Names inside the data directory. */
export const TASKS = 'tasks';
export const TRASH = 'trash';

/** Names inside a task's directory. */
export const TASK_FILES = { workspace: 'workspace', request: 'request.json', result: 'result.json' } as const;

/** File names of scripts, by a word in the interpreter's name. */
const SCRIPT_ENDINGS: readonly (readonly [word: string, ending: string])[] = [
  ['python', 'py'],
  ['zsh', 'zsh'],
  ['node', 'js'],
];

/** Where a task's files are. Absolute. */
export interface TaskPaths {
  task_dir: string;
  /** Where the program starts, unless the request names a directory. */
  workspace_dir: string;
  request_path: string;
  result_path: string;
  stdout_path: string;
  stderr_path: string;
  script_path: string | undefined;
}

/**
 * Where a task's files are: `tasks/<id>/…`. It follows from the id, wherever the data directory is moved to.
 * @param dataDir absolute, without a `/` at its end
 */
export function taskPaths(dataDir: string, taskId: string, request: TaskRequest): TaskPaths {
  const dir = `${dataDir}/${TASKS}/${directoryName(taskId)}`;
  const workspace = `${dir}/${TASK_FILES.workspace}`;
  const { workspace_subdir: subdir } = request.sandbox;
  const script = scriptName(request.execution);
  return {
    task_dir: dir,
    workspace_dir: subdir === undefined ? workspace : path.join(workspace, subdir),
    request_path: `${dir}/${TASK_FILES.request}`,
    result_path: `${dir}/${TASK_FILES.result}`,
    stdout_path: `${dir}/${logName('stdout')}`,
    stderr_path: `${dir}/${logName('stderr')}`,
    script_path: script === undefined ? undefined : `${dir}/${script}`,
  };
}

/** The file with the first bytes of a stream. */
export function logName(stream: 'stdout' | 'stderr'): string {
  return `${stream}.log`;
}

/** The ring file with the last bytes of a stream that is not kept whole. */
export function tailName(stream: 'stdout' | 'stderr'): string {
  return `${stream}.tail`;
}

/** The file that a script is written to; undefined for a command. */
export function scriptName(execution: Execution): string | undefined {
  if (execution.kind !== 'script') return undefined;
  const interpreter = execution.interpreter?.join(' ') ?? '';
  const ending = SCRIPT_ENDINGS.find(([word]) => interpreter.includes(word))?.[1] ?? 'sh';
  return `script.${ending}`;
}

/** A task whose id can name no directory has no files: nothing is ever made at the place that stands for them. */
export function directoryName(taskId: string): string {
  return canNameDirectory(taskId) ? taskId : `%${createHash('sha256').update(taskId).digest('hex')}`;
}
