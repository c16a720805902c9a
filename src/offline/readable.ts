import fs from 'node:fs';
import path from 'node:path';
import { isErrno, systemWords } from '../files/errno.js';
import { DATABASE_FILE } from '../store/open.js';
import { ExecgoError } from '../task/errors.js';

/** Why something cannot be read, and what to do. */
export interface Unreadable {
  problem: string;
  advice: string;
}

/** @returns why a data directory cannot be read; undefined when it can be */
export function unreadableDir(dataDir: string): Unreadable | undefined {
  try {
    if (!fs.statSync(dataDir).isDirectory())
      return { problem: `${dataDir} is not a directory`, advice: 'name the data directory with --data-dir' };
  } catch (error) {
    if (isErrno(error, 'ENOENT'))
      return {
        problem: `${dataDir} does not exist`,
        advice: 'name it with --data-dir; execgo serve makes it',
      };
    if (!isErrno(error, 'EACCES'))
      return { problem: `${dataDir}: ${systemWords(error)}`, advice: 'name it with --data-dir' };
    return notAllowed(dataDir);
  }
  return unreadableFile(dataDir) ?? unreadableFile(path.join(dataDir, DATABASE_FILE));
}

/** @returns what is wrong with the permissions of a file or directory; undefined when it can be read or does not exist */
export function unreadableFile(file: string): Unreadable | undefined {
  try {
    const { R_OK, X_OK } = fs.constants;
    fs.accessSync(file, fs.statSync(file).isDirectory() ? R_OK | X_OK : R_OK);
    return undefined;
  } catch (error) {
    return isErrno(error, 'EACCES') ? notAllowed(file) : undefined;
  }
}

/** @throws ExecgoError when no daemon has worked in `dataDir`, or it cannot be read */
export function requireDatabase(dataDir: string): void {
  const unreadable = unreadableDir(dataDir);
  if (unreadable !== undefined)
    throw new ExecgoError('permission_denied', `${unreadable.problem}: ${unreadable.advice}`);
  if (!fs.existsSync(path.join(dataDir, DATABASE_FILE)))
    throw new ExecgoError(
      'not_found',
      `${dataDir} is not a data directory, for it has no ${DATABASE_FILE}: name the data directory with --data-dir`,
    );
}

function notAllowed(file: string): Unreadable {
  const owner = ownerOf(file);
  return {
    problem: `${file} may not be read by user ${process.geteuid?.() ?? ''}`,
    advice: `run it as user ${owner === 0 ? 'root' : owner}`,
  };
}

/** The owner of a file; if that cannot be found out, of the nearest directory above it of which it can. */
function ownerOf(file: string): number {
  for (let at = file; ; at = path.dirname(at))
    try {
      return fs.lstatSync(at).uid;
    } catch {
      if (at === path.dirname(at)) return 0;
    }
}
