import fs from 'node:fs';
import path from 'node:path';
import { isErrno } from './errno.js';

/**
 * Makes a directory and those above it that are missing. Node's own way goes round for ever where a directory that is there
 * says ENOENT to whoever wants to make another in it, as /proc does.
 * @param mode less what the umask takes away
 * @throws a system error for the first that cannot be made: EEXIST where something else has its name
 */
export function makeDirectories(dir: string, mode = 0o777): void {
  const missing: string[] = [];
  let at = path.resolve(dir);
  while (!fs.existsSync(at) && at !== path.dirname(at)) {
    missing.push(at);
    at = path.dirname(at);
  }
  if (missing.length === 0 && !fs.statSync(at).isDirectory()) fs.mkdirSync(at);
  for (const next of missing.reverse())
    try {
      fs.mkdirSync(next, mode);
    } catch (error) {
      // Somebody else may have made it in between.
      const isThere = isErrno(error, 'EEXIST') && fs.statSync(next, { throwIfNoEntry: false })?.isDirectory();
      if (isThere !== true) throw error;
    }
}
