import { constants } from 'node:os';
import { resolve } from 'node:path';

/** The directories that execvp(3) searches when the environment has no PATH. */
const DEFAULT_PATH = '/bin:/usr/bin';

const { ENOENT, ENOTDIR, EACCES } = constants.errno;
/** Errors after which execvp(3) goes on to the next directory. */
const NEXT = [ENOENT, ENOTDIR, EACCES];

/**
 * Finds and runs a program as execvp(3) does: a name with a slash is a path, any other is searched in `path`, whose relative
 * entries count from `cwd`.
 * @param attempt tries one file; returns 0 or an errno.
 * @returns 0, or the errno that execvp would give: EACCES wins over ENOENT.
 */
export async function tryProgram(
  program: string,
  path: string | undefined,
  cwd: string,
  attempt: (file: string) => number | Promise<number>,
): Promise<number> {
  if (program.includes('/')) return attempt(program);
  if (program === '') return ENOENT;
  let result: number = ENOENT;
  for (const directory of (path ?? DEFAULT_PATH).split(':')) {
    const errno = await attempt(resolve(cwd, directory, program));
    if (!NEXT.includes(errno)) return errno;
    if (errno === EACCES) result = EACCES;
  }
  return result;
}
