import fs from 'node:fs';
import path from 'node:path';

const TASKS = 'tasks';
/** What a task has left that ran to its end; a crash within a submit leaves a directory without. */
const RESULT = 'result.json';

/**
 * Files of tasks whose rows are nowhere would be removed as orphans: beside a database that has never held a task they are
 * all that is left of one that was lost.
 * @param isNew there was no database, so that nothing can have been made below `tasks/` by a daemon of this one
 * @returns what to say about it, with what to do; undefined where nothing is lost
 */
export function lostDatabase(dataDir: string, isNew: boolean): string | undefined {
  const tasks = path.join(dataDir, TASKS);
  // Another kind of thing in its place is refused elsewhere.
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
    // Not a directory, or closed.
    return false;
  }
}
