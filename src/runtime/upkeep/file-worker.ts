import { parentPort } from 'node:worker_threads';
import { withDirectory, type Directory } from '../../files/directory.js';
import { errnoOf } from '../../files/errno.js';
import { inspectTaskDir, type TaskDirState } from './inspect-task-dir.js';
import { measureTree } from './measure-tree.js';
import { removeTree, type Removal } from './remove-tree.js';

/** What can be asked of the worker: one answer for each name, in order. */
export interface FileJobs {
  /** Of entries of `trash/`. */
  remove: Removal;
  /** Of task directories: disk space, in bytes. */
  measure: number;
  inspect: TaskDirState;
  /** False also for a link to one. */
  isDirectory: boolean;
}

export interface FileQuestion {
  id: number;
  /** Absolute. */
  dataDir: string;
  job: keyof FileJobs;
  names: string[];
}

/** `error` instead of `results` when the job itself failed. */
export interface FileReply {
  id: number;
  results?: unknown[];
  error?: string;
}

const JOBS: { [J in keyof FileJobs]: (parent: Directory, name: string) => FileJobs[J] } = {
  remove: removeTree,
  measure: measureTree,
  inspect: inspectTaskDir,
  isDirectory,
};

function isDirectory(parent: Directory, name: string): boolean {
  try {
    return withDirectory(parent, [name], () => true);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return false;
  }
}

function answer({ id, dataDir, job, names }: FileQuestion): FileReply {
  try {
    const doOne: (parent: Directory, name: string) => unknown = JOBS[job];
    const room = job === 'remove' ? 'trash' : 'tasks';
    return { id, results: withDirectory(dataDir, [room], (dir) => names.map((name) => doOne(dir, name))) };
  } catch (error) {
    return { id, error: error instanceof Error ? error.message : String(error) };
  }
}

parentPort?.on('message', (question: FileQuestion) => {
  parentPort?.postMessage(answer(question));
});
