import { closeSync, openSync, readSync, readdirSync, statSync } from 'node:fs';

const THREADS = '/proc/self/task';
/** What the kernel gives of a list at once. */
const PAGE = Buffer.alloc(4096);
/** Longer than a pid and the blank behind it: whoever is given so much less than a page has been given all. */
const ENTRY_BYTES = 16;

/**
 * Children of this process, as the kernel lists them: a list for each thread, whose children the thread spawned itself. A
 * child that makes another with CLONE_PARENT puts it beside itself. What loses its parent goes to the first thread, and so do
 * the children of a thread that ends.
 */
export class ChildrenList {
  #fds = new Map<string, number>();
  #links = 0;

  constructor() {
    try {
      this.#fds.set(String(process.pid), openSync(`${THREADS}/${process.pid}/children`, 'r'));
    } catch {
      // A kernel without these lists.
    }
  }

  /** False where the kernel keeps no such lists. */
  get isKept(): boolean {
    return this.#fds.size > 0;
  }

  /** @returns pids, each with a blank behind it. */
  read(): string {
    if (!this.isKept) return '';
    // Besides the two that every directory has there is a link for each thread.
    const { nlink } = statSync(THREADS);
    if (nlink !== this.#links) this.#listThreads();
    this.#links = nlink;
    let text = '';
    for (const fd of this.#fds.values()) text += readList(fd);
    return text;
  }

  close(): void {
    for (const fd of this.#fds.values()) closeSync(fd);
    this.#fds.clear();
  }

  #listThreads(): void {
    const known = this.#fds;
    this.#fds = new Map();
    const first = String(process.pid);
    // The first thread's comes last: it then holds the children of a thread that has ended since its own was read.
    for (const tid of [...readdirSync(THREADS).filter((name) => name !== first), first]) {
      const fd = known.get(tid) ?? tryOpen(`${THREADS}/${tid}/children`);
      known.delete(tid);
      if (fd !== undefined) this.#fds.set(tid, fd);
    }
    for (const fd of known.values()) closeSync(fd);
  }
}

function tryOpen(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch {
    return undefined;
  }
}

/** @returns the list; an empty one when the thread has ended. */
function readList(fd: number): string {
  let text = '';
  for (;;) {
    const count = readSync(fd, PAGE, 0, PAGE.length, text.length);
    text += PAGE.toString('latin1', 0, count);
    if (count < PAGE.length - ENTRY_BYTES) return text;
  }
}
