import koffi from 'koffi';

/** Linux constants, the same on every architecture. */
const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLLIN = 1;
/** struct epoll_event is packed on x86-64 only. */
const EVENT = process.arch === 'x64' ? { bytes: 12, data: 4 } : { bytes: 16, data: 8 };
/** How many descriptors are served in one turn of the event loop. */
const EVENTS_AT_ONCE = 64;
/** How often to check descriptors that the kernel refuses to watch because memory or watches ran out. In milliseconds. */
const ASK_MS = 50;

type Call = (...args: unknown[]) => number;

/**
 * Watches any number of descriptors through one epoll descriptor, which Node's event loop watches. To have the event loop
 * watch each pipe would cost some 30 µs a task, mostly for objects that the garbage collector finalises one by one.
 */
export class Epoll {
  readonly #epollCtl: Call;
  readonly #epollWait: Call;
  readonly #fd: number;
  readonly #listeners = new Map<number, () => void>();
  readonly #event = Buffer.alloc(EVENT.bytes);
  readonly #events = Buffer.alloc(EVENT.bytes * EVENTS_AT_ONCE);
  readonly #loop: { close(): void };
  readonly #unwatched = new Set<number>();
  #asking: NodeJS.Timeout | undefined;

  /** @throws Error when the kernel or koffi lacks what is needed. */
  constructor() {
    const library = koffi.load(null);
    this.#epollCtl = library.func('int epoll_ctl(int epoll, int operation, int fd, void *event)') as Call;
    this.#epollWait = library.func('int epoll_wait(int epoll, void *events, int size, int timeout)') as Call;
    this.#fd = (library.func('int epoll_create1(int flags)') as Call)(EPOLL_CLOEXEC);
    if (this.#fd < 0) throw new Error('cannot watch descriptors');
    this.#loop = koffi.node.poll(this.#fd, { readable: true }, () => this.#dispatch());
  }

  /**
   * Calls `readable` whenever `fd` can be read or has ended, until {@link unwatch}. While the kernel refuses to watch it,
   * `readable` is called every {@link ASK_MS}, whether it can be read or not.
   */
  watch(fd: number, readable: () => void): void {
    this.#listeners.set(fd, readable);
    if (this.#add(fd)) return;
    this.#unwatched.add(fd);
    this.#asking ??= setInterval(() => this.#askUnwatched(), ASK_MS);
  }

  /** To be called before `fd` is closed: a process that is being spawned may still have copies of it. */
  unwatch(fd: number): void {
    this.#listeners.delete(fd);
    if (this.#unwatched.delete(fd)) this.#settle();
    // For a descriptor that is watched this cannot fail.
    else this.#epollCtl(this.#fd, EPOLL_CTL_DEL, fd, this.#event);
  }

  close(): void {
    clearInterval(this.#asking);
    this.#loop.close();
  }

  #add(fd: number): boolean {
    this.#event.writeUInt32LE(EPOLLIN, 0);
    this.#event.writeInt32LE(fd, EVENT.data);
    return this.#epollCtl(this.#fd, EPOLL_CTL_ADD, fd, this.#event) === 0;
  }

  #askUnwatched(): void {
    for (const fd of [...this.#unwatched]) {
      if (this.#add(fd)) this.#unwatched.delete(fd);
      else this.#listeners.get(fd)?.();
    }
    this.#settle();
  }

  #settle(): void {
    if (this.#unwatched.size > 0) return;
    clearInterval(this.#asking);
    this.#asking = undefined;
  }

  #dispatch(): void {
    const count = this.#epollWait(this.#fd, this.#events, EVENTS_AT_ONCE, 0);
    for (let index = 0; index < count; index++)
      this.#listeners.get(this.#events.readInt32LE(index * EVENT.bytes + EVENT.data))?.();
  }
}
