import fs from 'node:fs';
import { isErrno } from './errno.js';
import { MountedError } from './kind.js';
import { mountId } from './mount-id.js';
import { IS_LINUX, O_PATH, openLookedAt, regular, renamed, type OpenFile } from './open-file.js';

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = fs.constants;

/**
 * A directory that is held open. Its entries are reached through its descriptor, one name at a time, so that a task cannot
 * lead us elsewhere by putting a link or another directory in its place: on Linux, `/proc/self/fd/<n>/<name>` does what
 * openat(2) does. No method follows a link or waits for the file it opens. Only directories and regular files in the same
 * mount as this directory are opened. Node opens everything close-on-exec.
 *
 * On other systems the directory's path is used, and only the last name of a path is protected from being a link.
 */
export class Directory {
  readonly #fd: number;
  readonly #prefix: string;
  #mount: number | undefined | 'unread' | 'any';

  /**
   * @param path for messages: where the directory was when it was opened.
   * @param mount the mount that everything below must be in; `unread` until it is first needed; `any` for the first
   *   directory of a path, whose entries may be in another mount, as an operator mounts them.
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
   * Opens the first directory of a path. Links are followed: only for a path that no task can change.
   * @throws a system error
   */
  static open(absolutePath: string): Directory {
    return new Directory(fs.openSync(absolutePath, forDirectory()), absolutePath, 'any');
  }

  /**
   * Opens `name` in the directory at `absolutePath`, as {@link open} and then {@link directory} would, in one step.
   * @throws a system error: ENOENT, or ENOTDIR for anything that is not a directory, such as a link to one
   */
  static openIn(absolutePath: string, name: string): Directory {
    checkName(name);
    const entry = `${absolutePath}/${name}`;
    return new Directory(fs.openSync(entry, forDirectory() | O_NOFOLLOW), entry, 'unread');
  }

  /**
   * Opens a directory in this one.
   * @throws MountedError for a mount point; a system error: ENOENT, or ENOTDIR for anything that is not a directory, such as
   *   a link to one
   */
  directory(name: string | Buffer): Directory {
    const opened = this.#enter(name);
    this.#refuseMounted(opened.#fd, opened.path);
    // Read meanwhile, if it was not before.
    opened.#mount = this.#mountBelow;
    return opened;
  }

  #enter(name: string | Buffer): Directory {
    const fd = this.#do(name, (entry) => fs.openSync(entry, forDirectory() | O_NOFOLLOW));
    return new Directory(fd, `${this.path}/${name.toString()}`, this.#mountBelow);
  }

  get #mountBelow(): number | undefined | 'unread' {
    return this.#mount === 'any' ? 'unread' : this.#mount;
  }

  /**
   * Makes a directory in this one.
   * @param mode less what the umask takes away
   * @throws a system error: EEXIST when the name is taken, by whatever kind of file
   */
  addDirectory(name: string, mode: number): void {
    this.#do(name, (entry) => {
      fs.mkdirSync(entry, mode);
    });
  }

  /** As {@link addDirectory}, and opens the new directory, on which nobody can have mounted anything yet. */
  makeDirectory(name: string, mode: number): Directory {
    this.addDirectory(name, mode);
    return this.#enter(name);
  }

  /**
   * Opens a regular file for reading, or for writing too.
   * @throws NotAFileError for anything else, MountedError for a mount point; a system error: ENOENT, EACCES, EAGAIN for a
   *   file on which another process has a lease
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
   * Makes a new file and opens it for reading and writing.
   * @param mode less what the umask takes away
   * @throws a system error: EEXIST when the name is taken, by whatever kind of file
   */
  makeFile(name: string, mode: number): number {
    return this.#do(name, (entry) => fs.openSync(entry, O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW, mode));
  }

  /**
   * The stats of the entry with this name, of the link itself if it is a link; undefined when there is no such entry.
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

  /** The names in this directory, as they are on disk. @throws a system error: EACCES when it may not be read */
  names(): Buffer[] {
    return this.#named(() => fs.readdirSync(this.#prefix, { encoding: 'buffer' }));
  }

  /**
   * As {@link names}, one after another, with a descriptor of its own until all are read or the generator is left: a task may make
   * more names than fit into memory. @throws a system error: EACCES when it may not be read
   */
  *entries(): Generator<Buffer, undefined> {
    const dir = this.#named(() => fs.opendirSync(this.#prefix, { encoding: 'buffer' as BufferEncoding }));
    try {
      for (let entry = dir.readSync(); entry !== null; entry = dir.readSync())
        yield entry.name as unknown as Buffer;
      return undefined;
    } finally {
      dir.closeSync();
    }
  }

  /** Removes an entry that is not a directory. @throws a system error: EISDIR */
  unlink(name: string): void {
    this.#do(name, (entry) => {
      fs.unlinkSync(entry);
    });
  }

  /**
   * Renames an entry of any kind; an entry that has the new name already is replaced.
   * @param to the directory to move it to, by default this one
   * @throws a system error: EISDIR, ENOTEMPTY, EEXIST when a directory has the new name
   */
  rename(name: string | Buffer, newName: string, to: Directory = this): void {
    to.#named(() => {
      this.#do(name, (entry) => {
        fs.renameSync(entry, to.entry(newName));
      });
    });
  }

  /** Changes the owner of this directory, through its descriptor. @throws a system error */
  chown(uid: number, gid: number): void {
    this.#named(() => {
      fs.chownSync(this.#prefix, uid, gid);
    });
  }

  /** Changes the mode of this directory, through its descriptor. @throws a system error */
  chmod(mode: number): void {
    this.#named(() => {
      fs.chmodSync(this.#prefix, mode);
    });
  }

  /**
   * The mount that this directory is in, see {@link mountId}; undefined when the system does not tell. @throws a system
   * error
   */
  mountId(): number | undefined {
    return IS_LINUX ? mountId(this.#fd) : undefined;
  }

  /** The stats of this directory itself: owner, mode and so on. @throws a system error */
  self(): fs.Stats {
    return this.#named(() => fs.fstatSync(this.#fd));
  }

  /**
   * A path for system calls that do not follow a link in the last name of a path: that of an entry, or without `name` of
   * this directory itself. Valid as long as this directory is open.
   * @throws Error when `name` is not the name of one entry
   */
  entry(name?: string): string {
    if (name === undefined) return this.#prefix;
    checkName(name);
    return `${this.#prefix}/${name}`;
  }

  /** A second handle of the same directory, which has to be closed separately. @throws a system error */
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
   * Checks the mount of an entry that was just opened, before anything else is done with it.
   * @throws MountedError when it is in another mount than this directory; `fd` is closed then
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
 * Opens a directory below `base`, one name at a time, and calls `use` with it.
 * @param base the first directory; links in its path are followed
 * @throws a system error: ENOENT, or ENOTDIR when anything on the way is not a directory, such as a link to one
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

/** The flags to open a directory with. On Linux: a handle for which no right to read the directory is needed. */
function forDirectory(): number {
  return IS_LINUX ? O_PATH | O_DIRECTORY : O_RDONLY | O_DIRECTORY;
}

/** @throws Error for a name that could lead out of a directory */
function checkName(name: string): void {
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name))
    throw new Error(`not the name of a directory entry: ${JSON.stringify(name)}`);
}
