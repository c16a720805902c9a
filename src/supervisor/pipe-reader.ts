import { readlinkSync } from 'node:fs';
import type { FdWatch, Libc } from './libc.js';

/** One read's worth; also what a pipe of Linux holds. All readers share it: its contents hold only during a call back. */
const CHUNK = Buffer.alloc(65_536);
/** Bytes taken from one stream before others have their turn. */
const TURN_BYTES = 1_048_576;

/** Reads a pipe as data comes and closes it at its end. */
export class PipeReader {
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #data: (chunk: Buffer) => void;
  readonly #end: () => void;
  #watch: FdWatch | undefined;

  constructor(libc: Libc, fd: number, data: (chunk: Buffer) => void, end: () => void) {
    this.#libc = libc;
    this.#fd = fd;
    this.#data = data;
    this.#end = end;
    this.#watch = libc.watch(fd, () => this.drain());
  }

  /** The pipe as /proc names it, e.g. `pipe:[123]`; undefined once it is closed. */
  get file(): string | undefined {
    return this.#watch === undefined ? undefined : readlinkSync(`/proc/self/fd/${this.#fd}`);
  }

  /** Reads what is there now, up to a turn's worth. */
  drain(): void {
    for (let taken = 0; this.#watch !== undefined && taken < TURN_BYTES;) {
      const count = this.#libc.read(this.#fd, CHUNK);
      if (count < 0) return;
      if (count === 0) this.close();
      else this.#data(CHUNK.subarray(0, count));
      taken += count;
    }
  }

  /** Ends the stream here, whoever may still write to it. */
  close(): void {
    if (this.#watch === undefined) return;
    this.#watch.close();
    this.#watch = undefined;
    this.#libc.close(this.#fd);
    this.#end();
  }
}
