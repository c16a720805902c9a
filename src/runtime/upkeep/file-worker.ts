import { answerQuestions } from '../../binary/asked-thread.js';
import { withDirectory, type Directory } from '../../files/directory.js';
import { errnoOf } from '../../files/errno.js';
import type { SessionTree } from '../../task/session-storage.js';
import { SESSIONS } from '../../task/task-paths.js';
import { digestTree } from './digest-tree.js';
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
  /** Of sessions: what is in their workspaces; undefined for one that has none. */
  digest: SessionTree | undefined;
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
  digest: (sessions, id) => digestTree(sessions, id),
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
  const room = job === 'remove' ? 'trash' : job === 'digest' ? SESSIONS : 'tasks';
  return withDirectory(dataDir, [room], (dir) => names.map((name) => doOne(dir, name)));
});
