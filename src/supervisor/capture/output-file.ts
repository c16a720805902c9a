import { closeSync, fstatSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { basename, dirname } from 'node:path';
import { withDirectory } from '../../files/directory.js';
import type { Directory } from '../../files/directory.js';
import { isErrno } from '../../files/errno.js';

/** How many directories above a file are opened one by one: `tasks/<id>`; the data directory above them is trusted. */
const BELOW_DATA_DIR = 2;

/**
 * A file of a task's output, `<data-dir>/tasks/<id>/<name>`. The task can put anything in its place, at any time: what is
 * written to is the file that was made here, or nothing.
 */
export class OutputFile {
  readonly #path: string;
  #made: Stats | undefined;

  /** @param path absolute. */
  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Makes it, empty; what has its name is removed.
   * @returns its descriptor, for reading and writing.
   * @throws a system error: EISDIR for a directory in its place, ENOTDIR for something else in that of the task's.
   */
  make(): number {
    return inTaskDirectory(this.#path, (directory) => this.makeIn(directory));
  }

  /** As {@link make}. @param directory the one that it is in, as {@link inTaskDirectory} opens it */
  makeIn(directory: Directory): number {
    const fd = makeAnew(directory, basename(this.#path));
    this.#made = fstatSync(fd);
    return fd;
  }

  /**
   * Opens again what was made.
   * @returns its descriptor, for reading and writing.
   * @throws Error when it is not there any more, or something else is.
   */
  reopen(): number {
    const { fd, stat } = inTaskDirectory(this.#path, (directory) =>
      directory.file(basename(this.#path), 'write'),
    );
    if (this.#made !== undefined && isSame(stat, this.#made)) return fd;
    closeSync(fd);
    throw new Error(`${this.#path} is not the file that was made at the start`);
  }
}

/**
 * Opens the directory that a file of a task's output is in, for the time of `use`.
 * @param filePath absolute
 * @throws a system error: ENOENT, or ENOTDIR for anything else on the way than a directory, a link to one included
 */
export function inTaskDirectory<T>(filePath: string, use: (directory: Directory) => T): T {
  const names: string[] = [];
  let base = dirname(filePath);
  while (names.length < BELOW_DATA_DIR && dirname(base) !== base) {
    names.unshift(basename(base));
    base = dirname(base);
  }
  return withDirectory(base, names, use);
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

/** The number of a file that was removed is soon given to another one. */
function isSame(a: Stats, b: Stats): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.birthtimeMs === b.birthtimeMs;
}
