import fs from 'node:fs';
import { NotAFileError } from './kind.js';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = fs.constants;

/**
 * `O_PATH` of Linux, which Node does not name: a handle that opens nothing, so that nothing waits for it and no device
 * notices, and that needs no right on what it stands for.
 */
export const O_PATH = 0o10000000;

const IS_LINUX = process.platform === 'linux';

/** A file that is open, as it was when it was opened. */
export interface OpenFile {
  fd: number;
  stat: fs.Stats;
}

/**
 * A directory that is held open. What is in it is reached through its descriptor, name by name, so that nobody can lead
 * the way elsewhere by putting a link or another directory in the place of this one: on Linux `/proc/self/fd/<n>/<name>`
 * is what openat(2) does. No method follows a link, and none waits for what it meets: what is opened is a directory or a
 * regular file. Node opens everything close-on-exec.
 *
 * Elsewhere than on Linux names go through the directory's path, and only the last of them is kept from being a link.
 */
export class Directory {
  readonly #fd: number;
  readonly #prefix: string;

  /** @param path for messages: where it was when it was opened. */
  private constructor(
    fd: number,
    readonly path: string,
  ) {
    this.#fd = fd;
    this.#prefix = IS_LINUX ? `/proc/self/fd/${fd}` : path;
  }

  /**
   * Opens where a way begins. Links are followed: only for a path that no task can change.
   * @throws a system error
   */
  static open(absolutePath: string): Directory {
    return new Directory(fs.openSync(absolutePath, forDirectory()), absolutePath);
  }

  /**
   * Opens a directory in one where a way begins, as {@link open} and then {@link directory} would, in one step.
   * @throws a system error: ENOENT, or ENOTDIR for anything else, a link to a directory included
   */
  static openIn(absolutePath: string, name: string): Directory {
    checkName(name);
    const entry = `${absolutePath}/${name}`;
    return new Directory(fs.openSync(entry, forDirectory() | O_NOFOLLOW), entry);
  }

  /**
   * Opens a directory in this one.
   * @throws a system error: ENOENT, or ENOTDIR for anything else, a link to a directory included
   */
  directory(name: string | Buffer): Directory {
    const fd = this.#do(name, (entry) => fs.openSync(entry, forDirectory() | O_NOFOLLOW));
    return new Directory(fd, `${this.path}/${name.toString()}`);
  }

  /**
   * Makes a directory in this one.
   * @param mode less what the umask takes away
   * @throws a system error: EEXIST whatever has the name
   */
  addDirectory(name: string, mode: number): void {
    this.#do(name, (entry) => {
      fs.mkdirSync(entry, mode);
    });
  }

  /** As {@link addDirectory}, and opens it: it is new, nobody has been in it. */
  makeDirectory(name: string, mode: number): Directory {
    this.addDirectory(name, mode);
    return this.directory(name);
  }

  /**
   * Opens a regular file for reading, or for writing too.
   * @throws NotAFileError for anything else; a system error: ENOENT, EACCES, EAGAIN for a file that somebody has a lease on
   */
  file(name: string, access: 'read' | 'write' = 'read'): OpenFile {
    const flags = (access === 'read' ? O_RDONLY : O_RDWR) | O_NONBLOCK;
    const shown = `${this.path}/${name}`;
    if (!IS_LINUX) return this.#do(name, (entry) => regular(fs.openSync(entry, flags | O_NOFOLLOW), shown));
    return this.#do(name, (entry) => openLookedAt(entry, O_NOFOLLOW, flags, shown));
  }

  /**
   * Makes a file that was not there and opens it for reading and writing.
   * @param mode less what the umask takes away
   * @throws a system error: EEXIST whatever has the name
   */
  makeFile(name: string, mode: number): number {
    return this.#do(name, (entry) => fs.openSync(entry, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, mode));
  }

  /** What has this name, a link itself where it is one; undefined for nothing. @throws a system error */
  stat(name: string | Buffer): fs.Stats | undefined {
    return this.#do(name, (entry) => fs.lstatSync(entry, { throwIfNoEntry: false }));
  }

  /** Names in this directory as they are on disk. @throws a system error: EACCES where it may not be read */
  names(): Buffer[] {
    return this.#named(() => fs.readdirSync(this.#prefix, { encoding: 'buffer' }));
  }

  /** Removes a name that is not a directory's. @throws a system error: EISDIR */
  unlink(name: string): void {
    this.#do(name, (entry) => {
      fs.unlinkSync(entry);
    });
  }

  /**
   * Renames an entry, whatever it is, over what has the other name.
   * @param to where; this directory unless given
   * @throws a system error: EISDIR, ENOTEMPTY, EEXIST where a directory is in the way
   */
  rename(name: string | Buffer, newName: string, to: Directory = this): void {
    to.#named(() => {
      this.#do(name, (entry) => {
        fs.renameSync(entry, to.entry(newName));
      });
    });
  }

  /** Gives this directory to somebody, by its descriptor. @throws a system error */
  chown(uid: number, gid: number): void {
    this.#named(() => {
      fs.chownSync(this.#prefix, uid, gid);
    });
  }

  /** @throws a system error */
  chmod(mode: number): void {
    this.#named(() => {
      fs.chmodSync(this.#prefix, mode);
    });
  }

  /** Owner, mode and the rest of this directory itself. @throws a system error */
  self(): fs.Stats {
    return this.#named(() => fs.fstatSync(this.#fd));
  }

  /**
   * The path of an entry for a call that follows no link in its last component; of this directory itself without a name.
   * It holds as long as this directory is open.
   * @throws Error when `name` is not the name of one entry
   */
  entry(name?: string): string {
    if (name === undefined) return this.#prefix;
    checkName(name);
    return `${this.#prefix}/${name}`;
  }

  /** Another handle of the same directory, to be closed by itself. @throws a system error */
  duplicate(): Directory {
    return new Directory(
      this.#named(() => fs.openSync(this.#prefix, forDirectory())),
      this.path,
    );
  }

  close(): void {
    fs.closeSync(this.#fd);
  }

  #do<T>(name: string | Buffer, action: (entry: string | Buffer) => T): T {
    const entry =
      typeof name === 'string' ? this.entry(name) : Buffer.concat([Buffer.from(`${this.#prefix}/`), name]);
    return this.#named(() => action(entry));
  }

  #named<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw renamed(error, this.#prefix, this.path);
    }
  }
}

/**
 * Opens directory after directory on the way down, for the time of `use`.
 * @param base where the way begins; links to it are followed
 * @throws a system error: ENOENT, ENOTDIR for anything else on the way than a directory, a link to one included
 */
export function withDirectory<T>(
  base: string | Directory,
  names: readonly string[],
  use: (directory: Directory) => T,
): T {
  const [first, ...others] = names;
  const isPath = typeof base === 'string';
  let at = isPath ? (first === undefined ? Directory.open(base) : Directory.openIn(base, first)) : base;
  try {
    for (const name of isPath ? others : names) {
      const next = at.directory(name);
      if (at !== base) at.close();
      at = next;
    }
    return use(at);
  } finally {
    if (at !== base) at.close();
  }
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

/** Looks at a thing before it is opened, and then opens that very thing, whatever has its name by now. */
function openLookedAt(entry: string | Buffer, lookFlags: number, flags: number, shown: string): OpenFile {
  const handle = regular(fs.openSync(entry, O_PATH | lookFlags), shown);
  try {
    return regular(fs.openSync(`/proc/self/fd/${handle.fd}`, flags), shown);
  } catch (error) {
    throw renamed(error, `/proc/self/fd/${handle.fd}`, shown);
  } finally {
    fs.closeSync(handle.fd);
  }
}

/** What opening a directory asks for: on Linux a handle that needs no right to read it. */
function forDirectory(): number {
  return IS_LINUX ? O_PATH | O_DIRECTORY : O_RDONLY | O_DIRECTORY;
}

/** @throws NotAFileError for what is no regular file; it is closed then */
function regular(fd: number, shown: string): OpenFile {
  const stat = fs.fstatSync(fd);
  if (stat.isFile()) return { fd, stat };
  fs.closeSync(fd);
  throw new NotAFileError(shown, stat);
}

/** @throws Error for what could lead out of a directory */
function checkName(name: string): void {
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name))
    throw new Error(`not the name of a directory entry: ${JSON.stringify(name)}`);
}

/** Says in an error where a thing is, and not by which descriptor it was reached. */
function renamed(error: unknown, prefix: string, shown: string): unknown {
  if (error instanceof Error && prefix !== shown) {
    error.message = error.message.replaceAll(prefix, shown);
    if ('path' in error && typeof error.path === 'string') error.path = error.path.replace(prefix, shown);
  }
  return error;
}
