import { closeSync, readSync, writeSync } from 'node:fs';
import type { Directory } from '../../files/directory.js';
import { OutputFile } from './output-file.js';
import type { StreamOutcome, StreamSpec } from '../wire/protocol.js';
import { TAIL_BYTES } from './tail-format.js';
import { TailRing } from './tail-ring.js';

/**
 * Keeps the first `max_bytes` of a stream in its log file, counts the rest, and keeps the last 64 KiB of a stream that
 * has lost bytes in its tail file. Takes every byte at once and never throws: a disk that is full, or a file that the task
 * has replaced, costs output, never the task. What is in the log file is always a prefix of what was produced.
 */
export class OutputCapture {
  readonly #spec: StreamSpec;
  readonly #log: OutputFile;
  #fd: number | undefined;
  #bytes = 0;
  #kept = 0;
  #tail: TailRing | undefined;
  #error: Error | undefined;

  constructor(spec: StreamSpec) {
    this.#spec = spec;
    this.#log = new OutputFile(spec.path);
  }

  /**
   * Makes the log file, empty. A stream that says nothing holds no descriptor: every spawn costs in proportion to what is
   * open, and with thousands of tasks that is most of its cost.
   * @param directory the one of the log file, where it is open already
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
    this.#tail ??= new TailRing(this.#spec.tail_path, this.#lastKept(), this.#kept);
    this.#tail.push(chunk.subarray(kept));
    this.#bytes += chunk.length - kept;
  }

  /** Writes the tail, closes the files. @returns what the stream came to. */
  close(): StreamOutcome {
    this.#tail?.close();
    this.#error ??= this.#tail?.error;
    this.#tail = undefined;
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    const lost = this.#error !== undefined && this.#bytes > 0 ? { error: this.#error.message } : {};
    return { bytes: this.#bytes, kept_bytes: this.#kept, ...lost };
  }

  /** @returns how many bytes at the start of `chunk` are in the log file now. */
  #keep(chunk: Buffer): number {
    const wanted = Math.min(chunk.length, this.#spec.max_bytes - this.#kept);
    let written = 0;
    try {
      // By position, as the task may have made the file longer or shorter.
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
