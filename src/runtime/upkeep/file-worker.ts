import { answerQuestions } from '../../binary/asked-thread.js';
import { withDirectory, type Directory } from '../../files/directory.js';
import { errnoOf } from '../../files/errno.js';
import { inspectTaskDir, type TaskDirState } from './inspect-task-dir.js';
import { measureTree } from './measure-tree.js';
import { removeTree, type Removal } from './remove-tree.js';

/** The jobs of the worker: one answer for each name, in order. */
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
  /** Absolute. */
  dataDir: string;
  job: keyof FileJobs;
  names: string[];
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

answerQuestions(({ dataDir, job, names }: FileQuestion): unknown[] => {
  const doOne: (parent: Directory, name: string) => unknown = JOBS[job];
  const room = job === 'remove' ? 'trash' : 'tasks';
  return withDirectory(dataDir, [room], (dir) => names.map((name) => doOne(dir, name)));
});
