import fs from 'node:fs';
import path from 'node:path';
import { DATABASE_FILE } from './database.js';

/** The data directory of the older runtime where nobody named one, below its working directory. */
const OLDER_DEFAULT = 'data';

/**
 * Whoever changes over from the older runtime may start beside its tasks without seeing them.
 * @param cwd where the daemon was started
 * @returns the older runtime's default data directory, when it is there and has a database, and `dataDir` has none yet
 */
export function olderDataDir(cwd: string, dataDir: string): string | undefined {
  const older = path.join(cwd, OLDER_DEFAULT);
  const hasDatabase = (dir: string) =>
    fs.lstatSync(path.join(dir, DATABASE_FILE), { throwIfNoEntry: false })?.isFile() === true;
  try {
    return !hasDatabase(dataDir) && hasDatabase(older) ? older : undefined;
  } catch {
    // What may not be looked at, or leads nowhere, is nobody's to take over.
    return undefined;
  }
}
