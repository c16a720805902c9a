import { closeSync, openSync, readSync } from 'node:fs';

/** What the kernel gives of a list in /proc at once. */
const PAGE = Buffer.alloc(4096);

/**
 * Children of the main thread: all that lost their parent, and those that this thread spawned itself. Those that other
 * threads spawned are listed with them.
 */
export class OrphanList {
  readonly #fd: number | undefined;
  #isHeld = false;
  #held: number[] | undefined;

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
  read(): readonly number[] {
    if (this.#fd === undefined) return [];
    if (this.#held !== undefined) return this.#held;
    const pids = readPids(this.#fd);
    if (this.#isHeld) this.#held = pids;
    return pids;
  }

  /**
   * Lets all of `looks` see the list as it is at the first of them: it grows with the processes that run, so that looking
   * anew at each of many ends would cost in proportion to the square of them.
   */
  hold(looks: () => void): void {
    this.#isHeld = true;
    looks();
    this.#isHeld = false;
    this.#held = undefined;
  }

  /** The list may have changed: a process was killed, whose children lose their parent. */
  changed(): void {
    this.#held = undefined;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
  }
}

function readPids(fd: number): number[] {
  let text = '';
  for (;;) {
    const count = readSync(fd, PAGE, 0, PAGE.length, text.length);
    if (count === 0) return text === '' ? [] : text.trimEnd().split(' ').map(Number);
    text += PAGE.toString('latin1', 0, count);
  }
}
