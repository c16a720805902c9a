import fs from 'node:fs';
import { NotAFileError } from './kind.js';

const { O_NONBLOCK, O_RDONLY } = fs.constants;

/**
 * `O_PATH` of Linux, for which Node has no name: a handle to a file that is not opened, so that no open can block, no device
 * is touched and no right on the file is needed.
 */
export const O_PATH = 0o10000000;

export const IS_LINUX = process.platform === 'linux';

/** An open file, and its stats at the moment when it was opened. */
export interface OpenFile {
  fd: number;
  stat: fs.Stats;
}

/**
 * Opens a regular file for reading, without waiting. Links are followed: only for a path that somebody with our own rights
 * has named.
 * @throws NotAFileError for anything else; a system error
 */
export function openFile(filePath: string): OpenFile {
  const flags = O_RDONLY | O_NONBLOCK;
  return IS_LINUX
    ? openLookedAt(filePath, 0, flags, filePath)
    : regular(fs.openSync(filePath, flags), filePath);
}

/**
 * Looks at a file before it opens it, and then opens that same file, even if its name leads to another by now.
 * @param check called with the handle before anything is asked of it; closes it when it throws
 */
export function openLookedAt(
  entry: string | Buffer,
  lookFlags: number,
  flags: number,
  shown: string,
  check: (fd: number) => void = () => undefined,
): OpenFile {
  const fd = fs.openSync(entry, O_PATH | lookFlags);
  check(fd);
  const handle = regular(fd, shown);
  try {
    return regular(fs.openSync(`/proc/self/fd/${handle.fd}`, flags), shown);
  } catch (error) {
    throw renamed(error, `/proc/self/fd/${handle.fd}`, shown);
  } finally {
    fs.closeSync(handle.fd);
  }
}

/** @throws NotAFileError when it is no regular file; `fd` is closed then */
export function regular(fd: number, shown: string): OpenFile {
  const stat = fs.fstatSync(fd);
  if (stat.isFile()) return { fd, stat };
  fs.closeSync(fd);
  throw new NotAFileError(shown, stat);
}

/** The error with the path `shown` in place of the descriptor's path through which the file was reached. */
export function renamed(error: unknown, prefix: string, shown: string): unknown {
  if (error instanceof Error && prefix !== shown) {
    error.message = error.message.replaceAll(prefix, shown);
    if ('path' in error && typeof error.path === 'string') error.path = error.path.replace(prefix, shown);
  }
  return error;
}
