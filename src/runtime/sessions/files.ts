import { errnoOf, isErrno, messageOf } from '../../files/errno.js';
import { ExecgoError, invalidInput } from '../../task/errors.js';
import type { FileDeleteAnswer, FileList, FilePutAnswer } from '../../task/files.js';
import { SESSIONS, TASK_FILES, workspaceNames } from '../../task/task-paths.js';
import type { Core } from '../core.js';
import type { FileOwner, FileService, ReadableFile } from '../file-service.js';
import { listFiles, openFileOf, putFile, trashFile, type Workspace } from '../files/workspace-files.js';
import { checkOwner, checkOwnerIs } from '../lifecycle/check-owner.js';
import { takesNone } from '../lifecycle/session.js';
import type { SessionCaller } from '../session-service.js';
import { taskRecord } from '../status.js';
import { asStorageError } from '../storage-error.js';
import type { FileThread } from '../upkeep/file-thread.js';
import { emptyOutSoon } from '../upkeep/remove-tasks.js';
import { knownSession } from './view.js';

/** What files of workspaces work with. */
export type FilesCore = Pick<Core, 'settings' | 'store' | 'live' | 'log' | 'now'> & { files: FileThread };

/** Moves files in and out of workspaces. */
export class WorkspaceFiles implements FileService {
  constructor(private readonly core: FilesCore) {}

  list(owner: FileOwner, path: readonly string[], caller: SessionCaller): FileList {
    const { entries, more } = this.#named(path, () => listFiles(this.#workspace(owner, caller), path));
    return { path: path.join('/'), entries, ...(more ? { more } : {}) };
  }

  open(owner: FileOwner, path: readonly string[], caller: SessionCaller): ReadableFile {
    const { fd, stat } = this.#named(path, () => openFileOf(this.#workspace(owner, caller), path));
    return { fd, size: stat.size, modifiedMs: stat.mtimeMs };
  }

  async put(
    owner: FileOwner,
    path: readonly string[],
    content: AsyncIterable<Buffer>,
    { mode, announced = 0 }: { mode: number; announced: number | undefined },
    caller: SessionCaller,
  ): Promise<FilePutAnswer> {
    const { maxFileBytes } = this.core.settings;
    const workspace = this.#workspace(owner, caller, true);
    const tooMuch = (bytes: number) => {
      if (bytes <= maxFileBytes) return;
      const message = `payload too large: a file may have ${maxFileBytes} bytes, as serve --max-file-bytes says`;
      throw new ExecgoError('payload_too_large', message, { limit: maxFileBytes });
    };
    tooMuch(announced);
    const size = await putFile(workspace, path, content, mode, tooMuch).catch((error: unknown) => {
      throw this.#explained(path, error);
    });
    await this.#touched(workspace);
    return { path: path.join('/'), size };
  }

  async remove(owner: FileOwner, path: readonly string[], caller: SessionCaller): Promise<FileDeleteAnswer> {
    const workspace = this.#workspace(owner, caller, true);
    const trashed = this.#named(path, () => trashFile(workspace, path));
    if (trashed === undefined) throw notFound(path);
    emptyOutSoon(this.core, [trashed]);
    await this.#touched(workspace);
    return { path: path.join('/'), deleted: true };
  }

  /** @param changes its owner alone may do that. @throws ExecgoError when there is none, or it is not the caller's */
  #workspace({ of, id }: FileOwner, { tenant, owner }: SessionCaller, changes = false): Workspace {
    const { dataDir, taskOwner } = this.core.settings;
    if (of === 'task') {
      const record = taskRecord(this.core, id);
      if (changes) checkOwner(record, owner);
      return { dataDir, names: workspaceNames(id, record.request), owner: taskOwner };
    }
    const session = knownSession(this.core, id, tenant);
    if (changes) checkOwnerIs(session.owner, owner, 'session', { session_id: id });
    if (session.state === 'evicted') throw takesNone(session);
    return { dataDir, names: [SESSIONS, id, TASK_FILES.workspace], owner: taskOwner };
  }

  /** A session in which files come and go is not idle. One that has been evicted meanwhile has not taken them. */
  async #touched({ names: [room, id] }: Workspace): Promise<void> {
    if (room !== SESSIONS) return;
    const { store, now } = this.core;
    await store.commits.writeAlong(() => {
      store.sessions.touched(id, now());
    });
    const session = knownSession(this.core, id, undefined);
    if (session.state === 'evicted') throw takesNone(session);
  }

  #named<T>(path: readonly string[], action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw this.#explained(path, error);
    }
  }

  /** What a system error says to a client: nothing of where the workspace is. */
  #explained(path: readonly string[], error: unknown): unknown {
    if (error instanceof ExecgoError) return error;
    const shown = path.join('/');
    if (isErrno(error, 'ENOENT')) return notFound(path);
    if (isErrno(error, 'ENAMETOOLONG')) return invalidInput('path: is too long');
    if (
      ['ENOTFILE', 'ENOTDIR', 'EISDIR', 'ENOTEMPTY', 'EEXIST', 'EXDEV', 'EBUSY'].includes(
        errnoOf(error) ?? '',
      )
    )
      return new ExecgoError('conflict', `${JSON.stringify(shown)} ${whatItIs(error)}`, { path: shown });
    if (isErrno(error, 'EACCES', 'EPERM') || errnoOf(error) === 'EACCES')
      return new ExecgoError(
        'permission_denied',
        `permission denied: ${JSON.stringify(shown)} ${whatItIs(error)}`,
      );
    return asStorageError(error);
  }
}

const WORDS: Readonly<Record<string, string>> = {
  ENOTDIR: 'is not a directory all the way, and links are not followed',
  EISDIR: 'is a directory',
  ENOTEMPTY: 'is a directory',
  EEXIST: 'is a directory',
  EXDEV: 'is in another mount',
  EBUSY: 'is in another mount',
  EPERM: 'may not be changed',
};

function whatItIs(error: unknown): string {
  const code = errnoOf(error) ?? '';
  if (code === 'ENOTFILE') return /is (a \w+), not a file$/.exec(messageOf(error))?.[0] ?? 'is not a file';
  if (code === 'EACCES')
    return isErrno(error, 'EACCES') && 'syscall' in error
      ? 'may not be used'
      : 'belongs to another user than tasks';
  return WORDS[code] ?? code;
}

function notFound(path: readonly string[]): ExecgoError {
  const shown = path.join('/');
  return new ExecgoError('not_found', `file not found: ${shown}`, { path: shown });
}
