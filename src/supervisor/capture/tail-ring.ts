import { closeSync, writeSync } from 'node:fs';
import { isDiskFull } from '../../files/errno.js';
import { OutputFile } from './output-file.js';
import { TAIL_BYTES, TAIL_HEADER_BYTES, encodeTailHeader } from './tail-format.js';

/** The file is written at most this often while output comes. */
const FLUSH_INTERVAL_MS = 100;

/** The last bytes of one stream, in memory and copied to a file that can be read at any time. */
export class TailRing {
  readonly #output: OutputFile;
  readonly #file = Buffer.alloc(TAIL_HEADER_BYTES + TAIL_BYTES);
  #total: number;
  #timer: NodeJS.Timeout | undefined;
  #fd: number | undefined;
  #error: Error | undefined;

  /**
   * @param before the last bytes of the stream before this ring was made, at most 65,536.
   * @param offset how many bytes came before.
   */
  constructor(path: string, before: Buffer, offset: number) {
    this.#output = new OutputFile(path);
    this.#total = offset - before.length;
    this.push(before);
  }

  /** Why the file is not up to date. */
  get error(): Error | undefined {
    return this.#error;
  }

  push(chunk: Buffer): void {
    this.#total += chunk.length;
    const last = chunk.length > TAIL_BYTES ? chunk.subarray(chunk.length - TAIL_BYTES) : chunk;
    const start = (this.#total - last.length) % TAIL_BYTES;
    const untilEnd = Math.min(last.length, TAIL_BYTES - start);
    last.copy(this.#file, TAIL_HEADER_BYTES + start, 0, untilEnd);
    last.copy(this.#file, TAIL_HEADER_BYTES, untilEnd);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#flush();
    }, FLUSH_INTERVAL_MS);
  }

  /** Writes the rest and closes the file. */
  close(): void {
    clearTimeout(this.#timer);
    this.#flush();
    if (this.#fd !== undefined) closeSync(this.#fd);
  }

  #flush(): void {
    encodeTailHeader(this.#total).copy(this.#file);
    // After a full disk the next flush tries again, because there may be room by then; after other errors it does not.
    if (this.#error !== undefined && !isDiskFull(this.#error)) return;
    try {
      this.#fd ??= this.#output.make();
      const used = TAIL_HEADER_BYTES + Math.min(this.#total, TAIL_BYTES);
      writeSync(this.#fd, this.#file, 0, used, 0);
      this.#error = undefined;
    } catch (error) {
      this.#error = error as Error;
    }
  }
}
