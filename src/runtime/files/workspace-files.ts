import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { withDirectory, type Directory } from '../../files/directory.js';
import { errnoOf } from '../../files/errno.js';
import { ENTRIES_MAX, LOOK_MAX, type FileEntry } from '../../task/files.js';
import type { TaskOwner } from './task-owner.js';
import { moveToTrash } from './trash.js';

const write = promisify(fs.write);

/** A file of a workspace is not the task's, so that nobody reads it for the task. Has a `code` like a system error. */
class ForeignFileError extends Error {
  readonly code = 'EACCES';

  constructor(path: string) {
    super(`${path} belongs to another user than tasks`);
    this.name = 'ForeignFileError';
  }
}

/** A workspace: the way to it from the data directory, on which no task can change anything. */
export interface Workspace {
  dataDir: string;
  names: readonly [room: string, owner: string, workspace: string];
  /** Whom its files belong to; undefined: the daemon's own user. */
  owner: TaskOwner | undefined;
}

const UNREADABLE = ['ENOENT', 'EXDEV', 'EACCES'];

/** Names that are read before others have their turn. */
const READ_AT_ONCE = 500;

/** What a page of a directory has. */
interface Listed {
  entries: FileEntry[];
  more?: true;
  next?: string;
}

/**
 * A page of the entries of a directory, by name. Names that are no text are left out and take no place.
 * @param after the name that all of the page come after; undefined: the first page
 * @throws a system error
 */
export async function listFiles(
  { dataDir, names }: Workspace,
  path: readonly string[],
  after: string | undefined,
): Promise<Listed> {
  const directory = withDirectory(dataDir, [...names, ...path], (found) => found.duplicate());
  try {
    const first = new FirstNames(ENTRIES_MAX + 1);
    let looked = 0;
    for (const bytes of directory.entries()) {
      if (++looked > LOOK_MAX) break;
      if (looked % READ_AT_ONCE === 0) await setImmediate();
      const name = bytes.toString();
      if ((after === undefined || name > after) && Buffer.from(name).equals(bytes)) first.add(name);
    }
    const found = first.all();
    const shown = found.slice(0, ENTRIES_MAX);
    const entries = shown.flatMap((name) => {
      const stat = statIn(directory, name);
      return stat === undefined ? [] : [entryOf(name, stat)];
    });
    const next = found.length > ENTRIES_MAX ? shown.at(-1) : undefined;
    return {
      entries,
      ...(next !== undefined || looked > LOOK_MAX ? { more: true } : {}),
      ...(next === undefined ? {} : { next }),
    };
  } finally {
    directory.close();
  }
}

/** The first of many names in their order, of which no more are kept than are needed. */
class FirstNames {
  #names: string[] = [];
  /** Undefined: there are not so many yet. */
  #last: string | undefined;

  constructor(private readonly count: number) {}

  add(name: string): void {
    if (this.#last !== undefined && name >= this.#last) return;
    this.#names.push(name);
    if (this.#names.length >= this.count * 2) this.#cut();
  }

  all(): string[] {
    this.#cut();
    return this.#names;
  }

  #cut(): void {
    this.#names.sort((a, b) => (a < b ? -1 : 1)).splice(this.count);
    if (this.#names.length === this.count) this.#last = this.#names.at(-1);
  }
}

/** Undefined for what has gone meanwhile, and for a mount point. */
function statIn(directory: Directory, name: string): fs.Stats | undefined {
  try {
    return directory.stat(name);
  } catch (error) {
    if (UNREADABLE.includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

function entryOf(name: string, stat: fs.Stats): FileEntry {
  const type = stat.isFile()
    ? 'file'
    : stat.isDirectory()
      ? 'directory'
      : stat.isSymbolicLink()
        ? 'link'
        : 'other';
  return {
    name,
    type,
    ...(type === 'file' ? { size: stat.size } : {}),
    mode: (stat.mode & 0o7777).toString(8),
    modified_at: new Date(stat.mtimeMs).toISOString(),
  };
}

/** Opens a regular file for reading. @throws NotAFileError, MountedError, ForeignFileError; a system error */
export function openFileOf(
  { dataDir, names, owner }: Workspace,
  path: readonly string[],
): { fd: number; stat: fs.Stats } {
  return withDirectory(dataDir, [...names, ...path.slice(0, -1)], (directory) => {
    const file = directory.file(path.at(-1) ?? '');
    // A task may have given a file of the daemon another name in its workspace.
    if (owner === undefined || file.stat.uid === owner.uid) return file;
    fs.closeSync(file.fd);
    throw new ForeignFileError([directory.path, path.at(-1)].join('/'));
  });
}

/** How a file is written. */
interface Writing {
  mode: number;
  /** Called with the bytes so far before they are written; throws when they are too many. */
  tooMuch: (bytes: number) => void;
  /** Called before it is given its place; throws when the workspace is not the same any more. */
  isThere: () => void;
}

/**
 * Writes a file beside the workspace, where no task can touch it, and renames it into its place: both are in one mount.
 * @returns its size
 * @throws a system error: EISDIR, ENOTDIR, EXDEV; what `content`, `tooMuch` and `isThere` throw. Nothing is left then
 */
export async function putFile(
  workspace: Workspace,
  path: readonly string[],
  content: AsyncIterable<Buffer>,
  { mode, tooMuch, isThere }: Writing,
): Promise<number> {
  const { dataDir, names, owner } = workspace;
  const [room, id, inside] = names;
  const unfinished = `.upload.${randomUUID()}.tmp`;
  const fd = withDirectory(dataDir, [room, id], (directory) => directory.makeFile(unfinished, 0o600));
  try {
    let size = 0;
    try {
      for await (const chunk of content) {
        tooMuch(size + chunk.length);
        for (let at = 0; at < chunk.length;) at += (await write(fd, chunk, at)).bytesWritten;
        size += chunk.length;
      }
      if (owner !== undefined) fs.fchownSync(fd, owner.uid, owner.gid);
      fs.fchmodSync(fd, mode);
    } finally {
      fs.closeSync(fd);
    }
    isThere();
    withDirectory(dataDir, [room, id], (directory) => {
      withMade(directory, [inside, ...path.slice(0, -1)], owner, (target) => {
        directory.rename(unfinished, path.at(-1) ?? '', target);
      });
    });
    return size;
  } catch (error) {
    withDirectoryIfThere(dataDir, [room, id], (directory) => {
      directory.unlink(unfinished);
    });
    throw error;
  }
}

/** As withDirectory, and makes what is missing but the first. */
function withMade(
  from: Directory,
  [first, ...others]: readonly string[],
  owner: TaskOwner | undefined,
  use: (directory: Directory) => void,
): void {
  let at = from.directory(first ?? '');
  try {
    for (const name of others) {
      const next = openOrMake(at, name, owner);
      at.close();
      at = next;
    }
    use(at);
  } finally {
    at.close();
  }
}

function openOrMake(parent: Directory, name: string, owner: TaskOwner | undefined): Directory {
  try {
    return parent.directory(name);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
  const made = parent.makeDirectory(name, 0o755);
  try {
    // Somebody else may have taken the name since: what is given away must be what was just made.
    if (owner !== undefined && made.self().uid === process.getuid?.()) made.chown(owner.uid, owner.gid);
    return made;
  } catch (error) {
    made.close();
    throw error;
  }
}

function withDirectoryIfThere(
  dataDir: string,
  names: readonly string[],
  use: (directory: Directory) => void,
): void {
  try {
    withDirectory(dataDir, names, use);
  } catch (error) {
    // The caller throws the error that made it call this, which says more.
    if (errnoOf(error) === undefined) throw error;
  }
}

/** Moves a file, or a directory with all in it, into the trash. @returns its name there; undefined when there is none */
export function trashFile({ dataDir, names }: Workspace, path: readonly string[]): string | undefined {
  return withDirectory(dataDir, [...names, ...path.slice(0, -1)], (directory) =>
    moveToTrash(dataDir, directory, path.at(-1) ?? ''),
  );
}
