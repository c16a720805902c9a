import { closeSync, fstatSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { basename, dirname } from 'node:path';
import { withDirectory } from '../files/directory.js';
import type { Directory } from '../files/directory.js';
import { isErrno } from '../files/errno.js';

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
    const fd = this.#inDirectory((directory, name) => {
      try {
        return directory.makeFile(name, 0o600);
      } catch (error) {
        if (!isErrno(error, 'EEXIST')) throw error;
        directory.unlink(name);
        return directory.makeFile(name, 0o600);
      }
    });
    this.#made = fstatSync(fd);
    return fd;
  }

  /**
   * Opens again what was made.
   * @returns its descriptor, for reading and writing.
   * @throws Error when it is not there any more, or something else is.
   */
  reopen(): number {
    const { fd, stat } = this.#inDirectory((directory, name) => directory.file(name, 'write'));
    if (this.#made !== undefined && isSame(stat, this.#made)) return fd;
    closeSync(fd);
    throw new Error(`${this.#path} is not the file that was made at the start`);
  }

  #inDirectory<T>(use: (directory: Directory, name: string) => T): T {
    const names: string[] = [];
    let base = dirname(this.#path);
    while (names.length < BELOW_DATA_DIR && dirname(base) !== base) {
      names.unshift(basename(base));
      base = dirname(base);
    }
    return withDirectory(base, names, (directory) => use(directory, basename(this.#path)));
  }
}

/** The number of a file that was removed is soon given to another one. */
function isSame(a: Stats, b: Stats): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.birthtimeMs === b.birthtimeMs;
}
