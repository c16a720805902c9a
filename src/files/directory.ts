import fs from 'node:fs';
import { isErrno } from './errno.js';
import { MountedError } from './kind.js';
import { mountId } from './mount-id.js';
import { IS_LINUX, O_PATH, openLookedAt, regular, renamed, type OpenFile } from './open-file.js';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = fs.constants;

/**
 * A directory that is held open. What is in it is reached through its descriptor, name by name, so that nobody can lead
 * the way elsewhere by putting a link or another directory in the place of this one: on Linux `/proc/self/fd/<n>/<name>`
 * is what openat(2) does. No method follows a link, and none waits for what it meets: what is opened is a directory or a
 * regular file, and none in another mount than the directory itself. Node opens everything close-on-exec.
 *
 * Elsewhere than on Linux names go through the directory's path, and only the last of them is kept from being a link.
 */
export class Directory {
  readonly #fd: number;
  readonly #prefix: string;
  #mount: number | undefined | 'unread' | 'any';

  /**
   * @param path for messages: where it was when it was opened.
   * @param mount that everything below it must be in; `unread` while nobody has asked; `any` where the way begins, so that its
   * first step may lead into another one, as an operator mounts them.
   */
  private constructor(
    fd: number,
    readonly path: string,
    mount: number | undefined | 'unread' | 'any',
  ) {
    this.#mount = mount;
    this.#fd = fd;
    this.#prefix = IS_LINUX ? `/proc/self/fd/${fd}` : path;
  }

  /**
   * Opens where a way begins. Links are followed: only for a path that no task can change.
   * @throws a system error
   */
  static open(absolutePath: string): Directory {
    return new Directory(fs.openSync(absolutePath, forDirectory()), absolutePath, 'any');
  }

  /**
   * Opens a directory in one where a way begins, as {@link open} and then {@link directory} would, in one step.
   * @throws a system error: ENOENT, or ENOTDIR for anything else, a link to a directory included
   */
  static openIn(absolutePath: string, name: string): Directory {
    checkName(name);
    const entry = `${absolutePath}/${name}`;
    return new Directory(fs.openSync(entry, forDirectory() | O_NOFOLLOW), entry, 'unread');
  }

  /**
   * Opens a directory in this one.
   * @throws MountedError for a mount point; a system error: ENOENT, or ENOTDIR for anything else, a link to a directory
   * included
   */
  directory(name: string | Buffer): Directory {
    const fd = this.#do(name, (entry) => fs.openSync(entry, forDirectory() | O_NOFOLLOW));
    const shown = `${this.path}/${name.toString()}`;
    this.#refuseMounted(fd, shown);
    return new Directory(fd, shown, this.#mount === 'any' ? 'unread' : this.#mount);
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
   * @throws NotAFileError for anything else, MountedError for a mount point; a system error: ENOENT, EACCES, EAGAIN for a file
   * that somebody has a lease on
   */
  file(name: string, access: 'read' | 'write' = 'read'): OpenFile {
    const flags = (access === 'read' ? O_RDONLY : O_RDWR) | O_NONBLOCK;
    const shown = `${this.path}/${name}`;
    if (!IS_LINUX) return this.#do(name, (entry) => regular(fs.openSync(entry, flags | O_NOFOLLOW), shown));
    return this.#do(name, (entry) =>
      openLookedAt(entry, O_NOFOLLOW, flags, shown, (fd) => {
        this.#refuseMounted(fd, shown);
      }),
    );
  }

  /**
   * Makes a file that was not there and opens it for reading and writing.
   * @param mode less what the umask takes away
   * @throws a system error: EEXIST whatever has the name
   */
  makeFile(name: string, mode: number): number {
    return this.#do(name, (entry) => fs.openSync(entry, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, mode));
  }

  /**
   * What has this name, a link itself where it is one; undefined for nothing.
   * @throws MountedError for a mount point; a system error
   */
  stat(name: string | Buffer): fs.Stats | undefined {
    if (this.#mount === 'any' || !IS_LINUX)
      return this.#do(name, (entry) => fs.lstatSync(entry, { throwIfNoEntry: false }));
    let fd: number;
    try {
      fd = this.#do(name, (entry) => fs.openSync(entry, O_PATH | O_NOFOLLOW));
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
    this.#refuseMounted(fd, `${this.path}/${name.toString()}`);
    try {
      return fs.fstatSync(fd);
    } finally {
      fs.closeSync(fd);
    }
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

  /** The mount that this directory is in, see {@link mountId}; undefined where nobody tells. @throws a system error */
  mountId(): number | undefined {
    return IS_LINUX ? mountId(this.#fd) : undefined;
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
      this.#mount,
    );
  }

  close(): void {
    fs.closeSync(this.#fd);
  }

  /**
   * Looks at what was just opened in this directory before anything is asked of it.
   * @throws MountedError when it is in another mount; it is closed then
   */
  #refuseMounted(fd: number, shown: string): void {
    if (this.#mount === 'any' || !IS_LINUX) return;
    try {
      if (this.#mount === 'unread') this.#mount = this.mountId();
      if (mountId(fd) !== this.#mount) throw new MountedError(shown);
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
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

/** What opening a directory asks for: on Linux a handle that needs no right to read it. */
function forDirectory(): number {
  return IS_LINUX ? O_PATH | O_DIRECTORY : O_RDONLY | O_DIRECTORY;
}

/** @throws Error for what could lead out of a directory */
function checkName(name: string): void {
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name))
    throw new Error(`not the name of a directory entry: ${JSON.stringify(name)}`);
}
