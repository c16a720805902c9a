import fs from 'node:fs';
import path from 'node:path';
import { isErrno } from './errno.js';

/**
 * Makes a directory and all missing directories above it. Node's own `recursive` option loops forever in /proc, where a
 * directory that exists answers ENOENT to the attempt to make another one in it.
 * @param mode less what the umask takes away
 * @throws a system error for the first directory that cannot be made: EEXIST when something else has its name
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
      // Another process may have made the directory in between.
      const isThere = isErrno(error, 'EEXIST') && fs.statSync(next, { throwIfNoEntry: false })?.isDirectory();
      if (isThere !== true) throw error;
    }
}
