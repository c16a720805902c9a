import fs from 'node:fs';
import path from 'node:path';
import { DATABASE_FILE } from './database.js';

/** The default data directory of the older runtime, relative to its working directory. */
const OLDER_DEFAULT = 'data';

/**
 * Finds the data directory of the older runtime that somebody who changes over to this one may have forgotten to name:
 * without it they would not see their tasks.
 * @param cwd where the daemon was started
 * @returns the older runtime's default data directory if it has a database and `dataDir` has none yet
 */
export function olderDataDir(cwd: string, dataDir: string): string | undefined {
  const older = path.join(cwd, OLDER_DEFAULT);
  const hasDatabase = (dir: string) =>
    fs.lstatSync(path.join(dir, DATABASE_FILE), { throwIfNoEntry: false })?.isFile() === true;
  try {
    return !hasDatabase(dataDir) && hasDatabase(older) ? older : undefined;
  } catch {
    // It cannot be read, or is a link to nothing: there is nothing to take over.
    return undefined;
  }
}
