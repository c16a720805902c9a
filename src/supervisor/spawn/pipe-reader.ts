import { readlinkSync } from 'node:fs';
import type { Epoll } from './epoll.js';
import type { Libc } from './libc.js';

/** The size of one read, and of a Linux pipe. All readers share the buffer: its contents are valid only during a callback. */
const CHUNK = Buffer.alloc(65_536);
/** How many bytes are read from one stream before others have their turn. */
const TURN_BYTES = 1_048_576;

/** Reads a pipe whenever data comes, and closes it at its end. */
export class PipeReader {
  #isOpen = true;

  /** @param fd the read end, which is made non-blocking. */
  constructor(
    private readonly libc: Libc,
    private readonly epoll: Epoll,
    private readonly fd: number,
    private readonly data: (chunk: Buffer) => void,
    private readonly end: () => void,
  ) {
    libc.unblock(fd);
    epoll.watch(fd, () => this.drain());
  }

  /** The pipe's name in /proc, e.g. `pipe:[123]`; undefined once it is closed. */
  get file(): string | undefined {
    return this.#isOpen ? readlinkSync(`/proc/self/fd/${this.fd}`) : undefined;
  }

  /** Reads what is there now, up to {@link TURN_BYTES}. */
  drain(): void {
    for (let taken = 0; this.#isOpen && taken < TURN_BYTES;) {
      const count = this.libc.read(this.fd, CHUNK);
      if (count < 0) return;
      if (count === 0) this.close();
      else this.data(CHUNK.subarray(0, count));
      taken += count;
    }
  }

  /** Closes the pipe, even if somebody still writes to it. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.epoll.unwatch(this.fd);
    this.libc.close(this.fd);
    this.end();
  }
}
