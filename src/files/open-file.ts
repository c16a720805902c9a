import fs from 'node:fs';
import { NotAFileError } from './kind.js';

const { O_NONBLOCK, O_RDONLY } = fs.constants;

/**
 * `O_PATH` of Linux, which Node does not name: a handle that opens nothing, so that nothing waits for it and no device
 * notices, and that needs no right on what it stands for.
 */
export const O_PATH = 0o10000000;

export const IS_LINUX = process.platform === 'linux';

/** A file that is open, as it was when it was opened. */
export interface OpenFile {
  fd: number;
  stat: fs.Stats;
}

/**
 * Opens a regular file for reading, wherever links lead: for a path that somebody with the same rights has named. Nothing
 * is waited for.
 * @throws NotAFileError for anything else; a system error
 */
export function openFile(filePath: string): OpenFile {
  const flags = O_RDONLY | O_NONBLOCK;
  return IS_LINUX
    ? openLookedAt(filePath, 0, flags, filePath)
    : regular(fs.openSync(filePath, flags), filePath);
}

/**
 * Looks at a thing before it is opened, and then opens that very thing, whatever has its name by now.
 * @param check what comes before anything is asked of it; closes it when it throws
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

/** @throws NotAFileError for what is no regular file; it is closed then */
export function regular(fd: number, shown: string): OpenFile {
  const stat = fs.fstatSync(fd);
  if (stat.isFile()) return { fd, stat };
  fs.closeSync(fd);
  throw new NotAFileError(shown, stat);
}

/** Says in an error where a thing is, and not by which descriptor it was reached. */
export function renamed(error: unknown, prefix: string, shown: string): unknown {
  if (error instanceof Error && prefix !== shown) {
    error.message = error.message.replaceAll(prefix, shown);
    if ('path' in error && typeof error.path === 'string') error.path = error.path.replace(prefix, shown);
  }
  return error;
}
