import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import type { StreamOutcome, StreamSpec } from './protocol.js';
import { TAIL_BYTES } from './tail-format.js';
import { TailRing } from './tail-ring.js';

/**
 * Keeps the first `max_bytes` of a stream in its log file, counts the rest, and keeps the last 64 KiB of a stream that
 * has lost bytes in its tail file. Takes every byte at once and never throws: a disk that is full costs output, never
 * the task. The log file is always a prefix of what was produced.
 */
export class OutputCapture {
  readonly #spec: StreamSpec;
  #fd: number | undefined;
  #bytes = 0;
  #kept = 0;
  #tail: TailRing | undefined;
  #error: Error | undefined;

  constructor(spec: StreamSpec) {
    this.#spec = spec;
  }

  /**
   * Makes the log file, empty. A stream that says nothing holds no descriptor: every spawn costs in proportion to what is
   * open, and with thousands of tasks that is most of its cost.
   */
  open(): void {
    const { O_CREAT, O_TRUNC, O_WRONLY, O_NOFOLLOW } = constants;
    try {
      closeSync(openSync(this.#spec.path, O_CREAT | O_TRUNC | O_WRONLY | O_NOFOLLOW, 0o600));
    } catch (error) {
      this.#error = error as Error;
    }
  }

  /** The first failure to open or write the log file. */
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
    this.#tail = undefined;
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    return { bytes: this.#bytes, kept_bytes: this.#kept };
  }

  /** @returns how many bytes at the start of `chunk` are in the log file now. */
  #keep(chunk: Buffer): number {
    const wanted = Math.min(chunk.length, this.#spec.max_bytes - this.#kept);
    let written = 0;
    try {
      while (this.#error === undefined && written < wanted)
        written += writeSync(this.#file(), chunk, written, wanted - written);
    } catch (error) {
      this.#error = error as Error;
    }
    this.#kept += written;
    return written;
  }

  #file(): number {
    const { O_CREAT, O_APPEND, O_RDWR, O_NOFOLLOW } = constants;
    this.#fd ??= openSync(this.#spec.path, O_CREAT | O_APPEND | O_RDWR | O_NOFOLLOW, 0o600);
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
