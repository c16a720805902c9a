import fs from 'node:fs';
import { promisify } from 'node:util';
import { decodeTail } from '../../supervisor/tail-format.js';
import type { OutputSource } from './source.js';

const readAsync = promisify(fs.read);

/** A task may put anything in the place of its own log: links are not followed, a FIFO does not block. */
const OPEN_FLAGS = fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK;

/** Up to here a read from the page cache is cheaper than a trip through the thread pool. */
const SYNC_BYTES = 65_536;

const EMPTY = Buffer.alloc(0);

/** A tail that is being written is read until two reads agree, but no more often than this. */
const TAIL_READS = 5;

/**
 * One stream at one moment: `[0, kept)` is in the log file, `[tailFrom, total)` in the ring file, and what lies
 * between them is gone. The log is opened by the first read and held until this is closed; most polls of a status find
 * the text that they know and read nothing.
 */
export class OutputSnapshot {
  readonly kept: number;
  readonly total: number;
  readonly tailFrom: number;
  /** Changes whenever the log file does. */
  readonly stamp: string;
  readonly #path: string;
  #fd: number | undefined;
  readonly #tail: Buffer;

  /** @throws a system error other than a missing file; a missing file is an empty one */
  constructor(source: OutputSource) {
    this.#path = source.path;
    const stat = statRegular(source.path);
    this.kept = stat?.size ?? 0;
    this.stamp = `${stat?.ino ?? 0}:${this.kept}:${stat?.mtimeMs ?? 0}`;
    const tail = tailBeyond(source, this.kept);
    this.total = Math.max(this.kept, source.totalBytes ?? 0, tail?.total ?? 0);
    this.tailFrom = tail === undefined ? this.total : Math.max(this.kept, tail.total - tail.bytes.length);
    this.#tail = tail === undefined ? EMPTY : lastBytes(tail.bytes, this.total - this.tailFrom);
  }

  /** Bytes between head and tail that are gone. */
  get omitted(): number {
    return this.tailFrom - this.kept;
  }

  /**
   * The bytes `[from, to)`. A range that crosses the gap ends at it; one that begins in it is empty.
   * Shorter than asked for when the file has been cut meanwhile.
   */
  async read(from: number, to: number): Promise<Buffer> {
    const head = from < this.kept ? await this.#readLog(from, Math.min(to, this.kept)) : EMPTY;
    const next = from + head.length;
    if (next >= to || next < this.tailFrom) return head;
    const tail = this.#tail.subarray(next - this.tailFrom, to - this.tailFrom);
    return head.length === 0 ? tail : Buffer.concat([head, tail]);
  }

  close(): void {
    if (this.#fd !== undefined) fs.closeSync(this.#fd);
  }

  async #readLog(from: number, to: number): Promise<Buffer> {
    this.#fd ??= openRegular(this.#path);
    if (this.#fd === undefined) return EMPTY;
    const buffer = Buffer.allocUnsafe(to - from);
    let filled = 0;
    while (filled < buffer.length) {
      const length = buffer.length - filled;
      const count =
        length <= SYNC_BYTES
          ? fs.readSync(this.#fd, buffer, filled, length, from + filled)
          : (await readAsync(this.#fd, buffer, filled, length, from + filled)).bytesRead;
      if (count === 0) break;
      filled += count;
    }
    return buffer.subarray(0, filled);
  }
}

/** Opens a snapshot for the time of `use`. */
export async function withSnapshot<T>(
  source: OutputSource,
  use: (s: OutputSnapshot) => Promise<T>,
): Promise<T> {
  const snapshot = new OutputSnapshot(source);
  try {
    return await use(snapshot);
  } finally {
    snapshot.close();
  }
}

/** Bytes of the stream so far. */
export function producedBytes(source: OutputSource): number {
  return new OutputSnapshot(source).total;
}

/** ELOOP: a link, ENXIO: a socket; neither is output. */
const NO_OUTPUT = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'];

/** @returns what `look` does; undefined when there is no output at its path */
function ifThere<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (NO_OUTPUT.includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

function statRegular(path: string): fs.Stats | undefined {
  const stat = ifThere(() => fs.lstatSync(path, { throwIfNoEntry: false }));
  return stat?.isFile() === true ? stat : undefined;
}

function openRegular(path: string): number | undefined {
  const fd = ifThere(() => fs.openSync(path, OPEN_FLAGS));
  if (fd === undefined) return undefined;
  if (fs.fstatSync(fd).isFile()) return fd;
  fs.closeSync(fd);
  return undefined;
}

interface Tail {
  total: number;
  bytes: Buffer;
}

function tailBeyond(source: OutputSource, kept: number): Tail | undefined {
  if (source.final && source.totalBytes !== undefined && source.totalBytes <= kept) return undefined;
  const tail = readTail(source);
  if (tail === undefined || !Number.isSafeInteger(tail.total) || tail.total <= kept) return undefined;
  // The count that was recorded at the end is the truth; a ring that says otherwise was tampered with.
  if (source.totalBytes !== undefined && tail.total !== source.totalBytes) return undefined;
  return tail;
}

function readTail(source: OutputSource): Tail | undefined {
  // Most streams have none, and to be told so by an exception takes longer than all else here.
  const fd = statRegular(source.tailPath) && openRegular(source.tailPath);
  if (fd === undefined) return undefined;
  try {
    let bytes = readWhole(fd);
    for (let reads = 1; !source.final && reads < TAIL_READS; reads++) {
      const again = readWhole(fd);
      if (again.equals(bytes)) break;
      bytes = again;
    }
    return decodeTail(bytes);
  } finally {
    fs.closeSync(fd);
  }
}

/** The ring file is a little over 64 KiB; more than twice that is not one. */
function readWhole(fd: number): Buffer {
  const buffer = Buffer.allocUnsafe(2 * SYNC_BYTES);
  return buffer.subarray(0, fs.readSync(fd, buffer, 0, buffer.length, 0));
}

function lastBytes(bytes: Buffer, count: number): Buffer {
  return bytes.subarray(bytes.length - count);
}
