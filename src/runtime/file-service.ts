import type { FileDeleteAnswer, FileList, FilePutAnswer } from '../task/files.js';
import type { SessionCaller } from './session-service.js';

/** Whose workspace it is. */
export type FileOwner = { of: 'session'; id: string } | { of: 'task'; id: string };

/** A regular file that is open; its reader closes it. */
export interface ReadableFile {
  fd: number;
  /** When it was opened; it may grow or shrink meanwhile. */
  size: number;
  modifiedMs: number;
}

/**
 * Files of workspaces. A path is a list of names from the workspace on. No link is followed, and nothing but regular files is opened.
 * All throw `not_found`, `invalid_input` for a name that is none, `conflict` where something else is in the place of a directory or file,
 * `permission_denied` for what the daemon may not read or write, and `session_evicted`.
 */
export interface FileService {
  /** A page of a directory. @param after the name that it begins after */
  list(owner: FileOwner, path: readonly string[], caller: SessionCaller, after?: string): Promise<FileList>;
  open(owner: FileOwner, path: readonly string[], caller: SessionCaller): ReadableFile;
  /**
   * Writes a file, in the place of one that is there; missing directories are made. It is whole or not there at all.
   * @param about its mode, as chmod takes it, and how many bytes its sender says that it has
   */
  put(
    owner: FileOwner,
    path: readonly string[],
    content: AsyncIterable<Buffer>,
    about: { mode: number; announced: number | undefined },
    caller: SessionCaller,
  ): Promise<FilePutAnswer>;
  /** Deletes a file, or a directory with all in it. */
  remove(owner: FileOwner, path: readonly string[], caller: SessionCaller): Promise<FileDeleteAnswer>;
}
