import { closeSync, openSync, readSync } from 'node:fs';

/** What the kernel gives of a list in /proc at once. */
const PAGE = Buffer.alloc(4096);

/**
 * Children of the main thread: all that lost their parent, and those that this thread spawned itself. Those that other
 * threads spawned are listed with them.
 */
export class OrphanList {
  readonly #fd: number | undefined;

  constructor() {
    try {
      this.#fd = openSync(`/proc/self/task/${process.pid}/children`, 'r');
    } catch {
      // A kernel without these lists.
    }
  }

  /** False where the kernel keeps no such list. */
  get isKept(): boolean {
    return this.#fd !== undefined;
  }

  /** @returns pids. */
  read(): number[] {
    if (this.#fd === undefined) return [];
    let text = '';
    for (;;) {
      const count = readSync(this.#fd, PAGE, 0, PAGE.length, text.length);
      if (count === 0) break;
      text += PAGE.toString('latin1', 0, count);
    }
    return text === '' ? [] : text.trimEnd().split(' ').map(Number);
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
  }
}
