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

/** Reads up to this size are made synchronously: from the page cache that is cheaper than the thread pool. */
const SYNC_BYTES = 65_536;

const EMPTY = Buffer.alloc(0);

/** A tail that is being written is read until two reads agree, at most this often. */
const TAIL_READS = 5;

/**
 * One stream at one moment: `[0, kept)` is in the log file, `[tailFrom, total)` in the ring file, and what is between them
 * was not kept. The log is opened at the first read and stays open until this is closed; most polls of a status have the
 * text in the cache and read nothing. A task can put anything in the place of its files: what cannot be read counts as not
 * kept, and {@link problem} says why.
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
    const [log, tail] = [logName(source.stream, source.attempt), tailName(source.stream, source.attempt)];
    this.#log = log;
    this.#known = source.warnings ?? [];
    this.#directory = this.#ifReadable(() => inTaskDir(source.dataDir, source.taskId, (d) => d.duplicate()));
    const stat = this.#regular(log);
    const size = stat?.size ?? 0;
    // Bytes beyond what the task wrote are not its output.
    this.#kept = source.final ? Math.min(size, source.totalBytes ?? size) : size;
    this.stamp = `${stat?.ino ?? 0}:${size}:${stat?.mtimeMs ?? 0}`;
    const ring = this.#tailBeyond(source, tail);
    this.total = Math.max(this.#kept, source.totalBytes ?? 0, ring?.total ?? 0);
    this.tailFrom = ring === undefined ? this.total : Math.max(this.#kept, ring.total - ring.bytes.length);
    this.#tail = ring === undefined ? EMPTY : lastBytes(ring.bytes, this.total - this.tailFrom);
    if (source.final && this.total > 0 && stat === undefined)
      this.#problem ??= `${log} of task ${source.taskId} is gone`;
  }

  /** Bytes from the start of the stream that are in the log file. */
  get kept(): number {
    return this.#kept;
  }

  /** Why some of what should be there cannot be read; undefined when all can. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** {@link problem}, and what was known to be missing before. */
  get warnings(): string[] {
    return [...this.#known, ...(this.#problem === undefined ? [] : [this.#problem])];
  }

  /** Bytes between head and tail that were not kept. */
  get omitted(): number {
    return this.tailFrom - this.#kept;
  }

  /**
   * The bytes `[from, to)`. A range that crosses the gap ends there; one that begins in the gap is empty. Shorter than
   * requested when the file has been cut meanwhile.
   * @throws a system error when the log cannot be read any more although {@link open} could open it
   */
  async read(from: number, to: number): Promise<Buffer> {
    const head = from < this.#kept ? await this.#readLog(from, Math.min(to, this.#kept)) : EMPTY;
    const next = from + head.length;
    if (next >= to || next < this.tailFrom) return head;
    const tail = this.#tail.subarray(next - this.tailFrom, to - this.tailFrom);
    return head.length === 0 ? tail : Buffer.concat([head, tail]);
  }

  /** Opens the log now. If that fails, its bytes count as missing from here on. */
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
    // Most streams have no ring file, and finding that out by an exception would take longer than all else here.
    if (this.#regular(name) === undefined) return undefined;
    const tail = this.#ifReadable(() => this.#readTail(name, source.final));
    if (tail === undefined || !Number.isSafeInteger(tail.total) || tail.total <= this.#kept) return undefined;
    // The total recorded at the task's end counts; a ring file with another one was changed by somebody else.
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

  /** @returns what `look` returns; undefined when it throws a system error, which is remembered unless it is ENOENT */
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

/** Calls `use` with a snapshot and closes it. */
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

/** How many bytes of the stream can be read, or are known not to have been kept. */
export function producedBytes(source: OutputSource): number {
  const snapshot = new OutputSnapshot(source);
  try {
    const { kept } = snapshot;
    // With bytes that cannot be opened counted, a follower would try to read them again and again.
    return snapshot.open().kept < kept ? 0 : snapshot.total;
  } finally {
    snapshot.close();
  }
}

/** The warnings for an answer; nothing when all could be read. */
export function warningsOf({ warnings }: OutputSnapshot): { warnings?: string[] } {
  return warnings.length === 0 ? {} : { warnings };
}

interface Tail {
  total: number;
  bytes: Buffer;
}

/** The ring file is a little over 64 KiB; a file of more than twice that is not one. */
function readWhole(fd: number): Buffer {
  const buffer = Buffer.allocUnsafe(2 * SYNC_BYTES);
  return buffer.subarray(0, fs.readSync(fd, buffer, 0, buffer.length, 0));
}

function lastBytes(bytes: Buffer, count: number): Buffer {
  return bytes.subarray(bytes.length - count);
}
