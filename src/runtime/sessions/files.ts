import { errnoOf, isErrno, messageOf } from '../../files/errno.js';
import type { TaskRecord } from '../../store/records.js';
import type { StoredSession } from '../../store/session-table.js';
import { ExecgoError, invalidInput, taskNotFound } from '../../task/errors.js';
import type { FileDeleteAnswer, FileList, FilePutAnswer } from '../../task/files.js';
import { sessionOf } from '../../task/session-of.js';
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

/** A workspace, and the session that it belongs to, if it does. */
interface Place extends Workspace {
  session?: StoredSession;
}

/** Moves files in and out of workspaces. */
export class WorkspaceFiles implements FileService {
  constructor(private readonly core: FilesCore) {}

  async list(
    owner: FileOwner,
    path: readonly string[],
    caller: SessionCaller,
    after?: string,
  ): Promise<FileList> {
    const workspace = this.#workspace(owner, caller);
    const listed = await listFiles(workspace, path, after).catch((error: unknown) => {
      throw this.#explained(path, error, workspace);
    });
    return { path: path.join('/'), ...listed };
  }

  open(owner: FileOwner, path: readonly string[], caller: SessionCaller): ReadableFile {
    const workspace = this.#workspace(owner, caller);
    const { fd, stat } = this.#named(path, workspace, () => openFileOf(workspace, path));
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
    const isThere = () => {
      this.#checkStillThere(workspace);
    };
    const size = await putFile(workspace, path, content, { mode, tooMuch, isThere }).catch(
      (error: unknown) => {
        throw this.#explained(path, error, workspace);
      },
    );
    await this.#touched(workspace);
    return { path: path.join('/'), size };
  }

  async remove(owner: FileOwner, path: readonly string[], caller: SessionCaller): Promise<FileDeleteAnswer> {
    const workspace = this.#workspace(owner, caller, true);
    const trashed = this.#named(path, workspace, () => trashFile(workspace, path));
    if (trashed === undefined) throw notFound(path);
    emptyOutSoon(this.core, [trashed]);
    await this.#touched(workspace);
    return { path: path.join('/'), deleted: true };
  }

  /** @param changes its owner alone may do that. @throws ExecgoError when there is none, or it is not the caller's */
  #workspace({ of, id }: FileOwner, { tenant, owner }: SessionCaller, changes = false): Place {
    const { dataDir, taskOwner } = this.core.settings;
    let session: StoredSession | undefined;
    let names: Workspace['names'];
    if (of === 'task') {
      const record = taskRecord(this.core, id);
      const { request } = record;
      if (tenant !== undefined && request.control_context?.tenant !== tenant) throw taskNotFound(id);
      if (changes) checkOwner(record, owner);
      session = this.#sessionOf(record);
      names = workspaceNames(id, request);
    } else {
      session = knownSession(this.core, id, tenant);
      names = [SESSIONS, id, TASK_FILES.workspace];
    }
    if (session === undefined) return { dataDir, names, owner: taskOwner };
    if (changes) checkOwnerIs(session.owner, owner, 'session', { session_id: session.session_id });
    if (session.state === 'evicted') throw takesNone(session);
    return { dataDir, names, owner: taskOwner, session };
  }

  /** The session that a task is in; undefined for a task with a workspace of its own. @throws ExecgoError `session_evicted` */
  #sessionOf({ request, submit_seq }: TaskRecord): StoredSession | undefined {
    const id = sessionOf(request);
    if (id === undefined) return undefined;
    const session = this.core.store.sessions.of(id);
    if (session === undefined || session.tenant !== request.control_context?.tenant) throw isGone(id);
    // Another one may have been made with the same id since.
    if (submit_seq <= session.born_seq) throw isGone(id);
    return session;
  }

  /**
   * A session may be evicted while its files are on the way, and another made with the same id.
   * @throws ExecgoError `session_evicted`
   */
  #checkStillThere({ session }: Place): void {
    if (session === undefined) return;
    const { session_id, session_seq } = session;
    const now = this.core.store.sessions.of(session_id);
    if (now?.session_seq !== session_seq) throw isGone(session_id);
    if (now.state === 'evicted') throw takesNone(now);
  }

  /** A session in which files come and go is not idle. One that has been evicted meanwhile has not taken them. */
  async #touched(place: Place): Promise<void> {
    const { session } = place;
    if (session === undefined) return;
    const { store, now } = this.core;
    await store.commits.writeAlong(() => {
      if (store.sessions.of(session.session_id)?.session_seq === session.session_seq)
        store.sessions.touched(session.session_id, now());
    });
    this.#checkStillThere(place);
  }

  #named<T>(path: readonly string[], workspace: Place, action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw this.#explained(path, error, workspace);
    }
  }

  /** What a system error says to a client: nothing of where the workspace is. */
  #explained(path: readonly string[], error: unknown, place: Place): unknown {
    if (error instanceof ExecgoError) return error;
    const code = errnoOf(error);
    if (code === undefined || OF_THE_DAEMON.includes(code)) return error;
    if (code === 'ENOENT') {
      try {
        this.#checkStillThere(place);
      } catch (gone) {
        return gone;
      }
      return notFound(path);
    }
    if (code === 'ENAMETOOLONG') return invalidInput('path: is too long');
    const stored = asStorageError(error);
    if (stored !== error) return stored;
    const shown = path.join('/');
    const what = `${JSON.stringify(shown)} ${whatItIs(error)}`;
    const details = { path: shown };
    if (code === 'EACCES' || code === 'EPERM')
      return new ExecgoError('permission_denied', `permission denied: ${what}`);
    if (code === 'EFBIG' || code === 'EOVERFLOW')
      return new ExecgoError('payload_too_large', `payload too large: ${what}`, details);
    // Whatever else a system refuses is due to what stands there, which a task decides.
    return new ExecgoError('conflict', what, details);
  }
}

/** What the daemon lacks or has done wrong itself. */
const OF_THE_DAEMON: readonly string[] = ['EMFILE', 'ENFILE', 'ENOMEM', 'EBADF', 'EFAULT'];

const WORDS: Readonly<Record<string, string>> = {
  ENOTDIR: 'is not a directory all the way, and links are not followed',
  ELOOP: 'is a link, which is not followed',
  EISDIR: 'is a directory',
  ENOTEMPTY: 'is a directory',
  EEXIST: 'is a directory',
  EXDEV: 'is in another mount',
  EBUSY: 'is in another mount',
  EPERM: 'may not be changed',
  EAGAIN: 'is in use by a process that has a lease on it: try again when that is over',
  ETXTBSY: 'is a program that runs',
  EMLINK: 'is in a directory that has as many directories as it can',
  EFBIG: 'is larger than the file system takes',
  EOVERFLOW: 'is larger than the file system takes',
};

function whatItIs(error: unknown): string {
  const code = errnoOf(error) ?? '';
  if (code === 'ENOTFILE') return /is (a \w+), not a file$/.exec(messageOf(error))?.[0] ?? 'is not a file';
  if (code === 'EACCES')
    return isErrno(error, 'EACCES') && 'syscall' in error
      ? 'may not be used'
      : 'belongs to another user than tasks';
  return WORDS[code] ?? `cannot be used (${code})`;
}

function isGone(sessionId: string): ExecgoError {
  return new ExecgoError(
    'session_evicted',
    `session ${sessionId}, which the files belonged to, was evicted, and its files are gone`,
    { session_id: sessionId },
  );
}

function notFound(path: readonly string[]): ExecgoError {
  const shown = path.join('/');
  return new ExecgoError('not_found', `file not found: ${shown}`, { path: shown });
}
