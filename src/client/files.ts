import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { FileDeleteAnswer, FileList, FilePutAnswer } from '../task/files.js';
import type { Abortable, Calls } from './calls.js';
import type { HttpTransport } from './http.js';
import { filePath, sessionPath, taskPath } from './paths.js';

/** Whose workspace it is: that of a session, or that of a task, which may be in one. */
export type WorkspaceOf = { session: string } | { task: string };

interface Named extends Abortable {
  /** Whose session or task it must be. */
  tenant?: string | undefined;
}

/** Files in workspaces. A path has its names from the workspace on, with `/` between them. */
export class FileClient {
  readonly #http: HttpTransport;
  readonly #calls: Calls;

  constructor(http: HttpTransport, calls: Calls) {
    this.#http = http;
    this.#calls = calls;
  }

  /**
   * What is in a directory, a page of it by name; the workspace itself without `path`.
   * @param options.after `next` of the page before
   */
  async list(
    of: WorkspaceOf,
    path?: string,
    { tenant, after, signal }: Named & { after?: string | undefined } = {},
  ): Promise<FileList> {
    return this.#calls.get(`${pathOf(of)}/files`, { query: { tenant, path, after }, signal });
  }

  /**
   * The content of a file, as it comes. The caller reads it or destroys it.
   * @param options.start the first byte, 0 by default. @param options.end the last byte, that of the file by default
   */
  async read(
    of: WorkspaceOf,
    path: string,
    options: Named & { start?: number | undefined; end?: number | undefined } = {},
  ): Promise<IncomingMessage> {
    const { tenant, start = 0, end, signal } = options;
    const headers: Record<string, string> =
      start === 0 && end === undefined ? {} : { range: `bytes=${String(start)}-${String(end ?? '')}` };
    return this.#http.stream({
      ...{ method: 'GET', path: filePath(pathOf(of), path), query: { tenant }, headers },
      ...{ repeatable: true, signal },
    });
  }

  /**
   * Writes a file, in the place of one that is there. Sent at most once.
   * @param options.mode of the file, 0o644 by default
   */
  async write(
    of: WorkspaceOf,
    path: string,
    content: Buffer | Readable,
    options: Named & { mode?: number | undefined; owner?: string | undefined } = {},
  ): Promise<FilePutAnswer> {
    const { tenant, mode, owner, signal } = options;
    const length: Record<string, string> = Buffer.isBuffer(content)
      ? { 'content-length': String(content.length) }
      : {};
    return (await this.#http.json({
      ...{ method: 'PUT', path: filePath(pathOf(of), path), repeatable: false, signal },
      query: { tenant, mode: mode?.toString(8).padStart(3, '0') },
      headers: { 'content-type': 'application/octet-stream', ...length, ...ownerHeader(owner) },
      content: Buffer.isBuffer(content) ? Readable.from([content], { objectMode: false }) : content,
    })) as FilePutAnswer;
  }

  /** Deletes a file, or a directory with all in it. */
  async remove(
    of: WorkspaceOf,
    path: string,
    { tenant, owner, signal }: Named & { owner?: string | undefined } = {},
  ): Promise<FileDeleteAnswer> {
    const answer = await this.#calls.delete(filePath(pathOf(of), path), { query: { tenant }, owner, signal });
    return answer as FileDeleteAnswer;
  }
}

function pathOf(of: WorkspaceOf): string {
  return 'session' in of ? sessionPath(of.session) : taskPath(of.task);
}

/** Node sends a header as Latin-1: it is given the bytes of UTF-8. */
function ownerHeader(owner: string | undefined): Record<string, string> {
  return owner === undefined ? {} : { 'x-execgo-owner': Buffer.from(owner).toString('latin1') };
}
