import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Directory } from '../../files/directory.js';
import { errnoOf } from '../../files/errno.js';
import { NotAFileError } from '../../files/kind.js';
import { decodeTail } from '../../supervisor/capture/tail-format.js';
import { inTaskDir } from '../files/task-files.js';
import { logName, tailName } from '../../task/task-paths.js';
import type { OutputSource } from './source.js';

const readAsync = promisify(fs.read);

/** Up to here a read from the page cache is cheaper than a trip through the thread pool. */
const SYNC_BYTES = 65_536;

const EMPTY = Buffer.alloc(0);

/** A tail that is being written is read until two reads agree, but no more often than this. */
const TAIL_READS = 5;

/**
 * One stream at one moment: `[0, kept)` is in the log file, `[tailFrom, total)` in the ring file, and what lies
 * between them is gone. The log is opened by the first read and held until this is closed; most polls of a status find
 * the text that they know and read nothing. A task can put anything in the place of its files: what cannot be read counts
 * as gone, and {@link problem} says why.
 */
export class OutputSnapshot {
  readonly total: number;
  readonly tailFrom: number;
  /** Changes whenever the log file does. */
  readonly stamp: string;
  readonly #log: string;
  readonly #directory: Directory | undefined;
  readonly #tail: Buffer;
  readonly #known: readonly string[];
  #kept: number;
  #problem: string | undefined;
  #fd: number | undefined;

  constructor(source: OutputSource) {
    const [log, tail] = [logName(source.stream), tailName(source.stream)];
    this.#log = log;
    this.#known = source.warnings ?? [];
    this.#directory = this.#ifReadable(() => inTaskDir(source.dataDir, source.taskId, (d) => d.duplicate()));
    const stat = this.#regular(log);
    const size = stat?.size ?? 0;
    // More than was written is not output.
    this.#kept = source.final ? Math.min(size, source.totalBytes ?? size) : size;
    this.stamp = `${stat?.ino ?? 0}:${size}:${stat?.mtimeMs ?? 0}`;
    const ring = this.#tailBeyond(source, tail);
    this.total = Math.max(this.#kept, source.totalBytes ?? 0, ring?.total ?? 0);
    this.tailFrom = ring === undefined ? this.total : Math.max(this.#kept, ring.total - ring.bytes.length);
    this.#tail = ring === undefined ? EMPTY : lastBytes(ring.bytes, this.total - this.tailFrom);
    if (source.final && this.total > 0 && stat === undefined)
      this.#problem ??= `${log} of task ${source.taskId} is gone`;
  }

  /** Bytes at the beginning that are in the log file. */
  get kept(): number {
    return this.#kept;
  }

  /** Why not all can be read that should be there; undefined when it can. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** {@link problem}, and what was known to be missing before. */
  get warnings(): string[] {
    return [...this.#known, ...(this.#problem === undefined ? [] : [this.#problem])];
  }

  /** Bytes between head and tail that are gone. */
  get omitted(): number {
    return this.tailFrom - this.#kept;
  }

  /**
   * The bytes `[from, to)`. A range that crosses the gap ends at it; one that begins in it is empty.
   * Shorter than asked for when the file has been cut meanwhile.
   * @throws a system error when the log cannot be read any more, which {@link open} would have told
   */
  async read(from: number, to: number): Promise<Buffer> {
    const head = from < this.#kept ? await this.#readLog(from, Math.min(to, this.#kept)) : EMPTY;
    const next = from + head.length;
    if (next >= to || next < this.tailFrom) return head;
    const tail = this.#tail.subarray(next - this.tailFrom, to - this.tailFrom);
    return head.length === 0 ? tail : Buffer.concat([head, tail]);
  }

  /** Opens the log now. One that cannot be opened counts as gone from here on. */
  open(): this {
    if (this.#kept > 0 && this.#ifReadable(() => this.#openLog()) === undefined) this.#kept = 0;
    return this;
  }

  close(): void {
    if (this.#fd !== undefined) fs.closeSync(this.#fd);
    this.#directory?.close();
  }

  #openLog(): number {
    if (this.#directory === undefined) throw new Error(`${this.#log} cannot be read`);
    this.#fd ??= this.#directory.file(this.#log).fd;
    return this.#fd;
  }

  async #readLog(from: number, to: number): Promise<Buffer> {
    const fd = this.#openLog();
    const buffer = Buffer.allocUnsafe(to - from);
    let filled = 0;
    while (filled < buffer.length) {
      const length = buffer.length - filled;
      const count =
        length <= SYNC_BYTES
          ? fs.readSync(fd, buffer, filled, length, from + filled)
          : (await readAsync(fd, buffer, filled, length, from + filled)).bytesRead;
      if (count === 0) break;
      filled += count;
    }
    return buffer.subarray(0, filled);
  }
  #tailBeyond(source: OutputSource, name: string): Tail | undefined {
    if (source.final && source.totalBytes !== undefined && source.totalBytes <= this.#kept) return undefined;
    // Most streams have none, and to be told so by an exception takes longer than all else here.
    if (this.#regular(name) === undefined) return undefined;
    const tail = this.#ifReadable(() => this.#readTail(name, source.final));
    if (tail === undefined || !Number.isSafeInteger(tail.total) || tail.total <= this.#kept) return undefined;
    // The count that was recorded at the end is the truth; a ring that says otherwise was tampered with.
    if (source.totalBytes !== undefined && tail.total !== source.totalBytes) return undefined;
    return tail;
  }

  #readTail(name: string, final: boolean): Tail | undefined {
    const fd = this.#directory?.file(name).fd;
    if (fd === undefined) return undefined;
    try {
      let bytes = readWhole(fd);
      for (let reads = 1; !final && reads < TAIL_READS; reads++) {
        const again = readWhole(fd);
        if (again.equals(bytes)) break;
        bytes = again;
      }
      return decodeTail(bytes);
    } finally {
      fs.closeSync(fd);
    }
  }

  #regular(name: string): fs.Stats | undefined {
    return this.#ifReadable(() => {
      const stat = this.#directory?.stat(name);
      if (stat === undefined || stat.isFile()) return stat;
      throw new NotAFileError(path.join(this.#directory?.path ?? '', name), stat);
    });
  }

  /** @returns what `look` does; undefined when it throws a system error, which is told unless there is nothing */
  #ifReadable<T>(look: () => T): T | undefined {
    try {
      return look();
    } catch (error) {
      const code = errnoOf(error);
      if (code === undefined) throw error;
      if (code !== 'ENOENT') this.#problem ??= (error as Error).message;
      return undefined;
    }
  }
}

/** Opens a snapshot for the time of `use`. */
export async function withSnapshot<T>(
  source: OutputSource,
  use: (s: OutputSnapshot) => Promise<T>,
): Promise<T> {
  const snapshot = new OutputSnapshot(source);
  try {
    return await use(snapshot.open());
  } finally {
    snapshot.close();
  }
}

/** Bytes of the stream so far that can be read or are known to be gone. */
export function producedBytes(source: OutputSource): number {
  const snapshot = new OutputSnapshot(source);
  try {
    const { kept } = snapshot;
    // One that cannot be opened would else be looked at again and again.
    return snapshot.open().kept < kept ? 0 : snapshot.total;
  } finally {
    snapshot.close();
  }
}

/** What an answer says of it; nothing where all could be read. */
export function warningsOf({ warnings }: OutputSnapshot): { warnings?: string[] } {
  return warnings.length === 0 ? {} : { warnings };
}

interface Tail {
  total: number;
  bytes: Buffer;
}

/** The ring file is a little over 64 KiB; more than twice that is not one. */
function readWhole(fd: number): Buffer {
  const buffer = Buffer.allocUnsafe(2 * SYNC_BYTES);
  return buffer.subarray(0, fs.readSync(fd, buffer, 0, buffer.length, 0));
}

function lastBytes(bytes: Buffer, count: number): Buffer {
  return bytes.subarray(bytes.length - count);
}
