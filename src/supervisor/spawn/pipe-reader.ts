import { readlinkSync } from 'node:fs';
import type { Epoll } from './epoll.js';
import type { Libc } from './libc.js';

/** One read's worth; also what a pipe of Linux holds. All readers share it: its contents hold only during a call back. */
const CHUNK = Buffer.alloc(65_536);
/** Bytes taken from one stream before others have their turn. */
const TURN_BYTES = 1_048_576;

/** Reads a pipe as data comes and closes it at its end. */
export class PipeReader {
  readonly #libc: Libc;
  readonly #epoll: Epoll;
  readonly #fd: number;
  readonly #data: (chunk: Buffer) => void;
  readonly #end: () => void;
  #isOpen = true;

  /** @param fd the read end, which is made non-blocking. */
  constructor(libc: Libc, epoll: Epoll, fd: number, data: (chunk: Buffer) => void, end: () => void) {
    this.#libc = libc;
    this.#epoll = epoll;
    this.#fd = fd;
    this.#data = data;
    this.#end = end;
    libc.unblock(fd);
    epoll.watch(fd, () => this.drain());
  }

  /** The pipe as /proc names it, e.g. `pipe:[123]`; undefined once it is closed. */
  get file(): string | undefined {
    return this.#isOpen ? readlinkSync(`/proc/self/fd/${this.#fd}`) : undefined;
  }

  /** Reads what is there now, up to a turn's worth. */
  drain(): void {
    for (let taken = 0; this.#isOpen && taken < TURN_BYTES;) {
      const count = this.#libc.read(this.#fd, CHUNK);
      if (count < 0) return;
      if (count === 0) this.close();
      else this.#data(CHUNK.subarray(0, count));
      taken += count;
    }
  }

  /** Ends the stream here, whoever may still write to it. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#epoll.unwatch(this.#fd);
    this.#libc.close(this.#fd);
    this.#end();
  }
}
