import { closeSync, fstatSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Directory } from '../../files/directory.js';
import { isErrno } from '../../files/errno.js';
import { withKeptDirectory } from '../../files/kept-directory.js';

/** The directories above a file that are opened one by one: `tasks/<id>`. The data directory above them is trusted. */
const BELOW_DATA_DIR = 2;

/**
 * A file for a task's output, `<data-dir>/tasks/<id>/<name>`. The task can replace it at any time; we write only to the file
 * that was made here.
 */
export class OutputFile {
  #made: Stats | undefined;

  /** @param path absolute. */
  constructor(private readonly path: string) {}

  /**
   * Makes the empty file; anything else with its name is removed.
   * @returns its descriptor, for reading and writing.
   * @throws a system error: EISDIR when a directory has its name, ENOTDIR when the task's directory is something else.
   */
  make(): number {
    return inTaskDirectory(this.path, (directory) => this.makeIn(directory));
  }

  /** As {@link make}. @param directory the file's directory, as {@link inTaskDirectory} opens it */
  makeIn(directory: Directory): number {
    const fd = makeAnew(directory, basename(this.path));
    this.#made = fstatSync(fd);
    return fd;
  }

  /**
   * Opens the file again that was made here.
   * @returns its descriptor, for reading and writing.
   * @throws Error when it has been removed or replaced.
   */
  reopen(): number {
    const { fd, stat } = inTaskDirectory(this.path, (directory) =>
      directory.file(basename(this.path), 'write'),
    );
    if (this.#made !== undefined && isSame(stat, this.#made)) return fd;
    closeSync(fd);
    throw new Error(`${this.path} is not the file that was made at the start`);
  }
}

/**
 * Calls `use` with the directory of an output file.
 * @param filePath absolute
 * @throws a system error: ENOENT, or ENOTDIR when anything on the way is not a directory, such as a link to one
 */
export function inTaskDirectory<T>(filePath: string, use: (directory: Directory) => T): T {
  const names: string[] = [];
  let base = dirname(filePath);
  while (names.length < BELOW_DATA_DIR && dirname(base) !== base) {
    names.unshift(basename(base));
    base = dirname(base);
  }
  return withKeptDirectory(base, names, use);
}

function makeAnew(directory: Directory, name: string): number {
  try {
    return directory.makeFile(name, 0o600);
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
    directory.unlink(name);
    return directory.makeFile(name, 0o600);
  }
}

/** The inode number alone does not do: that of a removed file is soon used again. */
function isSame(a: Stats, b: Stats): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.birthtimeMs === b.birthtimeMs;
}
