import { closeSync, openSync, readSync, readdirSync, statSync } from 'node:fs';

const THREADS = '/proc/self/task';
/** The most that the kernel returns of a list in one read. */
const PAGE = Buffer.alloc(4096);
/** More than a pid and the blank after it: when a read leaves this much of the page free, the list is complete. */
const ENTRY_BYTES = 16;

/**
 * The children of this process, as the kernel lists them: one list for each thread, with the children that the thread
 * spawned. A child's own child that is made with CLONE_PARENT is added to the same list. A process that loses its parent is
 * added to the list of the first thread, and so are the children of a thread that ends.
 */
export class ChildrenList {
  readonly #first = String(process.pid);
  #fds = new Map<string, number>();
  #links = 0;
  /** Threads that were there from the start. */
  readonly #early: ReadonlySet<string>;

  /**
   * @param pool how many threads libuv makes at once when it first needs one. Once so many have come, those that were there
   *   before are V8's and Node's own, which make no children. NaN: not known, so each thread may.
   */
  constructor(private readonly pool = NaN) {
    const own = tryOpen(`${THREADS}/${this.#first}/children`);
    if (own !== undefined) this.#fds.set(this.#first, own);
    this.#early = new Set(own === undefined ? [] : readdirSync(THREADS));
  }

  /** False when the kernel has no such lists. */
  get isKept(): boolean {
    return this.#fds.size > 0;
  }

  /** @returns pids, each followed by a blank. */
  read(): string {
    if (!this.isKept) return '';
    // The directory has two links of its own, and one for each thread.
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
    const others = readdirSync(THREADS).filter((name) => name !== this.#first);
    const late = others.filter((name) => !this.#early.has(name));
    // The first thread's list is read last: it then has the children of any thread that ended since its own list was read.
    for (const tid of [...(late.length >= this.pool ? late : others), this.#first]) {
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

/** @returns the list; empty when the thread has ended. */
function readList(fd: number): string {
  let text = '';
  for (;;) {
    const count = readSync(fd, PAGE, 0, PAGE.length, text.length);
    text += PAGE.toString('latin1', 0, count);
    if (count < PAGE.length - ENTRY_BYTES) return text;
  }
}
