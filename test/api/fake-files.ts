import fs from 'node:fs';
import type { FileOwner, FileService, ReadableFile } from '../../src/runtime/file-service.js';
import type { SessionCaller } from '../../src/runtime/session-service.js';
import type { FileDeleteAnswer, FileList, FilePutAnswer } from '../../src/task/files.js';

/** Files of no workspace: each is this one. */
export class FakeFiles implements FileService {
  constructor(private readonly service: { readonly asked: Record<string, unknown[]> }) {}

  async list(
    owner: FileOwner,
    path: readonly string[],
    caller: SessionCaller,
    after?: string,
  ): Promise<FileList> {
    this.service.asked['listFiles'] = [owner, path, caller, after];
    return Promise.resolve({ path: path.join('/'), entries: [] });
  }

  open(owner: FileOwner, path: readonly string[], caller: SessionCaller): ReadableFile {
    this.service.asked['openFile'] = [owner, path, caller];
    const fd = fs.openSync(import.meta.filename, 'r');
    return { fd, size: fs.fstatSync(fd).size, modifiedMs: 0 };
  }

  async put(
    owner: FileOwner,
    path: readonly string[],
    content: AsyncIterable<Buffer>,
    about: object,
    caller: SessionCaller,
  ): Promise<FilePutAnswer> {
    this.service.asked['putFile'] = [owner, path, about, caller];
    let size = 0;
    for await (const chunk of content) size += chunk.length;
    return { path: path.join('/'), size };
  }

  async remove(owner: FileOwner, path: readonly string[], caller: SessionCaller): Promise<FileDeleteAnswer> {
    this.service.asked['removeFile'] = [owner, path, caller];
    return { path: path.join('/'), deleted: true };
  }
}
