import fs from 'node:fs';
import path from 'node:path';

const TASKS = 'tasks';
/** A file that every task has that ran to its end. A directory without it may come from a crash during a submit. */
const RESULT = 'result.json';

/**
 * Tells an empty database beside the files of earlier tasks from a new data directory. With an empty database all those
 * files would be removed as files without a row, although they are all that is left of a database that was lost.
 * @param isNew there was no database, so no daemon has made files below `tasks/` with this one
 * @returns what to tell the operator, with what to do; undefined when no database was lost
 */
export function lostDatabase(dataDir: string, isNew: boolean): string | undefined {
  const tasks = path.join(dataDir, TASKS);
  // If `tasks` is not a directory, another check refuses the data directory.
  if (fs.lstatSync(tasks, { throwIfNoEntry: false })?.isDirectory() !== true) return undefined;
  const directory = fs.opendirSync(tasks);
  try {
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync())
      if (isNew || hasResult(path.join(tasks, entry.name)))
        return `it ${isNew ? 'is missing or empty' : 'has never held a task'}, but ${tasks} holds files of tasks: restore a backup of the database, or move that directory away, too, to start empty`;
    return undefined;
  } finally {
    directory.closeSync();
  }
}

function hasResult(taskDir: string): boolean {
  try {
    return fs.lstatSync(path.join(taskDir, RESULT), { throwIfNoEntry: false }) !== undefined;
  } catch {
    // It is not a directory, or may not be read.
    return false;
  }
}
