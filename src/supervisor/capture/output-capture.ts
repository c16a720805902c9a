import { closeSync, readSync, writeSync } from 'node:fs';
import type { Directory } from '../../files/directory.js';
import { OutputFile } from './output-file.js';
import type { StreamOutcome, StreamSpec } from '../wire/protocol.js';
import { TAIL_BYTES } from './tail-format.js';
import { TailRing } from './tail-ring.js';

/**
 * Keeps the first `max_bytes` of a stream in its log file, counts the rest, and when bytes are left out keeps the last 64
 * KiB in the tail file. Accepts every byte at once and never throws: a full disk, or a file that the task has replaced,
 * costs output, never the task. The log file always holds a prefix of what was produced.
 */
export class OutputCapture {
  readonly #log: OutputFile;
  #fd: number | undefined;
  #bytes = 0;
  #kept = 0;
  #tail: TailRing | undefined;
  #error: Error | undefined;

  constructor(private readonly spec: StreamSpec) {
    this.#log = new OutputFile(spec.path);
  }

  /**
   * Makes the empty log file. Its descriptor is closed until the first byte comes: a spawn takes longer the more descriptors
   * are open, and with thousands of tasks that is most of its cost.
   * @param directory the directory of the log file, if it is open already
   */
  open(directory?: Directory): void {
    try {
      closeSync(directory === undefined ? this.#log.make() : this.#log.makeIn(directory));
    } catch (error) {
      this.#error = error as Error;
    }
  }

  /** The first failure to open or write one of the files. */
  get error(): Error | undefined {
    return this.#error;
  }

  write(chunk: Buffer): void {
    const kept = this.#tail === undefined ? this.#keep(chunk) : 0;
    this.#bytes += kept;
    if (kept === chunk.length) return;
    this.#tail ??= new TailRing(this.spec.tail_path, this.#lastKept(), this.#kept);
    this.#tail.push(chunk.subarray(kept));
    this.#bytes += chunk.length - kept;
  }

  /** Writes the tail and closes the files. @returns the counts of the stream. */
  close(): StreamOutcome {
    this.#tail?.close();
    this.#error ??= this.#tail?.error;
    this.#tail = undefined;
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    const lost = this.#error !== undefined && this.#bytes > 0 ? { error: this.#error.message } : {};
    return { bytes: this.#bytes, kept_bytes: this.#kept, ...lost };
  }

  /** @returns how many bytes at the start of `chunk` were written to the log file. */
  #keep(chunk: Buffer): number {
    const wanted = Math.min(chunk.length, this.spec.max_bytes - this.#kept);
    let written = 0;
    try {
      // At a fixed position, because the task may have made the file longer or shorter.
      while (this.#error === undefined && written < wanted)
        written += writeSync(this.#file(), chunk, written, wanted - written, this.#kept + written);
    } catch (error) {
      this.#error = error as Error;
    }
    this.#kept += written;
    return written;
  }

  #file(): number {
    this.#fd ??= this.#log.reopen();
    return this.#fd;
  }

  #lastKept(): Buffer {
    const last = Buffer.alloc(Math.min(this.#kept, TAIL_BYTES));
    try {
      if (this.#fd !== undefined) readSync(this.#fd, last, 0, last.length, this.#kept - last.length);
    } catch (error) {
      this.#error ??= error as Error;
    }
    return last;
  }
}
