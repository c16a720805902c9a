import fs from 'node:fs';
import path from 'node:path';
import { parentPort } from 'node:worker_threads';
import { inspectTaskDir, type TaskDirState } from './inspect-task-dir.js';
import { measureTree } from './measure-tree.js';
import { removeTree, type Removal } from './remove-tree.js';

/** What can be asked of the worker: one answer for each absolute path, in order. */
export interface FileJobs {
  /** Of entries right in a trash directory. */
  remove: Removal;
  measure: number;
  inspect: TaskDirState;
  /** False also for a link to one. */
  isDirectory: boolean;
}

export interface FileQuestion {
  id: number;
  job: keyof FileJobs;
  paths: string[];
}

/** `error` instead of `results` when the job itself failed. */
export interface FileReply {
  id: number;
  results?: unknown[];
  error?: string;
}

const JOBS: { [J in keyof FileJobs]: (path: string) => FileJobs[J] } = {
  remove: (entry) => removeTree(path.dirname(entry), path.basename(entry)),
  measure: measureTree,
  inspect: inspectTaskDir,
  isDirectory: (entry) => fs.lstatSync(entry, { throwIfNoEntry: false })?.isDirectory() === true,
};

function answer({ id, job, paths }: FileQuestion): FileReply {
  try {
    const doOne: (path: string) => unknown = JOBS[job];
    return { id, results: paths.map((p) => doOne(p)) };
  } catch (error) {
    return { id, error: error instanceof Error ? error.message : String(error) };
  }
}

parentPort?.on('message', (question: FileQuestion) => {
  parentPort?.postMessage(answer(question));
});
