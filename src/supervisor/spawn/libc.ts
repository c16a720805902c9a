import koffi from 'koffi';
import { constants } from 'node:os';
import { LibcSpawn } from './libc-spawn.js';

/** Linux constants that are the same on every architecture in {@link ARCHITECTURES}. */
const O_CLOEXEC = 0o2000000;
const O_NONBLOCK = 0o4000;
const P_ALL = 0;
const WNOHANG = 1;
const WEXITED = 4;
const WNOWAIT = 0x01000000;
const PR_SET_CHILD_SUBREAPER = 36;
const RLIMIT_NOFILE = 7;
/** access(2): may be executed. */
const X_OK = 1;
const F_SETFD = 2;
const F_SETFL = 4;
const FD_CLOEXEC = 1;
/** Where siginfo_t has si_pid on 64-bit Linux. */
const SI_PID_OFFSET = 16;
/** Larger than siginfo_t (128) and rusage (144). */
const OPAQUE_BYTES = 256;

/** Little-endian 64-bit machines on which the numbers above hold. */
const ARCHITECTURES = ['x64', 'arm64', 'riscv64', 'loong64'];

type Call = (...args: unknown[]) => number;

/** A process that has ended and been waited for. Times in milliseconds, sizes in bytes. */
export interface Reaped {
  exit_code?: number;
  signal?: number;
  user_cpu_ms: number;
  system_cpu_ms: number;
  max_rss_bytes: number;
}

/** The calls of the C library that Node lacks, each without allocating memory. Made once per process. */
export class Libc {
  readonly #pipe2: Call;
  readonly #read: Call;
  readonly #close: Call;
  readonly #access: Call;
  readonly #fchown: Call;
  readonly #kill: Call;
  readonly #waitid: Call;
  readonly #wait4: Call;
  readonly #fcntl: Call;
  readonly #setrlimit: Call;
  readonly #info = Buffer.alloc(OPAQUE_BYTES);
  readonly #rusage = Buffer.alloc(OPAQUE_BYTES);
  readonly #pair = Buffer.alloc(8);
  readonly #int = Buffer.alloc(4);
  readonly #ownLimit = Buffer.alloc(16);
  readonly #taskLimit = Buffer.alloc(16);

  /**
   * Checks for functions that not every C library has; changes nothing in this process.
   * @throws Error when the C library or koffi lacks what is needed.
   */
  static check(): void {
    if (process.platform !== 'linux' || !ARCHITECTURES.includes(process.arch))
      throw new Error(`no libc launcher for ${process.platform} on ${process.arch}`);
    LibcSpawn.check();
    if (typeof koffi.node.poll !== 'function')
      throw new Error('this version of koffi cannot watch descriptors');
  }

  /**
   * @param softFiles the soft RLIMIT_NOFILE of spawned processes; the hard limit stays.
   * @throws Error when the C library or koffi lacks what is needed.
   */
  constructor(softFiles: number) {
    Libc.check();
    const library = koffi.load(null);
    const declare = (declaration: string): Call => library.func(declaration) as Call;
    this.#pipe2 = declare('int pipe2(void *fds, int flags)');
    this.#read = declare('long read(int fd, void *buffer, size_t length)');
    this.#close = declare('int close(int fd)');
    this.#access = declare('int access(const char *path, int mode)');
    this.#fchown = declare('int fchown(int fd, int owner, int group)');
    this.#kill = declare('int kill(int pid, int signal)');
    this.#waitid = declare('int waitid(int type, int id, void *info, int options)');
    this.#wait4 = declare('int wait4(int pid, void *status, int options, void *usage)');
    this.#fcntl = declare('int fcntl(int fd, int command, int argument)');
    this.#setrlimit = declare('int setrlimit(int resource, void *limit)');
    declare('int getrlimit(int resource, void *limit)')(RLIMIT_NOFILE, this.#ownLimit);
    const hard = this.#ownLimit.readBigUInt64LE(8);
    const soft = BigInt(softFiles);
    this.#taskLimit.writeBigUInt64LE(soft < hard ? soft : hard, 0);
    this.#taskLimit.writeBigUInt64LE(hard, 8);
    const prctl = declare('int prctl(int option, ulong a, ulong b, ulong c, ulong d)');
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) !== 0) throw new Error('cannot become a child subreaper');
  }

  /**
   * Sets the soft limit of open files for this process, and so for what it spawns from now on. Descriptors above the limit
   * stay open and can be duplicated, but no new ones are made.
   */
  limitFiles(whose: 'own' | 'task'): void {
    this.#setrlimit(RLIMIT_NOFILE, whose === 'own' ? this.#ownLimit : this.#taskLimit);
  }

  /** @returns read end and write end, both close-on-exec; or the errno. */
  pipe(): { read: number; write: number } | number {
    if (this.#pipe2(this.#pair, O_CLOEXEC) !== 0) return koffi.errno();
    return { read: this.#pair.readInt32LE(0), write: this.#pair.readInt32LE(4) };
  }

  /** @returns bytes read, 0 at the end, -1 when there is nothing to read now. */
  read(fd: number, buffer: Buffer): number {
    for (;;) {
      const count = this.#read(fd, buffer, buffer.length);
      if (count >= 0) return count;
      const errno = koffi.errno();
      if (errno === constants.errno.EAGAIN) return -1;
      if (errno !== constants.errno.EINTR) return 0;
    }
  }

  /** Changes the owner of the file behind a descriptor. @returns 0 or an errno. */
  chown(fd: number, uid: number, gid: number): number {
    // The C type is unsigned; `| 0` gives the signed number with the same bits.
    return this.#fchown(fd, uid | 0, gid | 0) === 0 ? 0 : koffi.errno();
  }

  close(fd: number): void {
    this.#close(fd);
  }

  /** Makes a descriptor close-on-exec. Does nothing when it is not open. */
  keepPrivate(fd: number): void {
    this.#fcntl(fd, F_SETFD, FD_CLOEXEC);
  }

  /** Makes reads return at once when there is nothing to read. */
  unblock(fd: number): void {
    this.#fcntl(fd, F_SETFL, O_NONBLOCK);
  }

  /** @returns 0 when this process may execute the file, else the errno. */
  executable(path: string): number {
    return this.#access(path, X_OK) === 0 ? 0 : koffi.errno();
  }

  /** @returns false when there is no such process or group. */
  kill(pid: number, signal: number): boolean {
    return this.#kill(pid, signal) === 0 || koffi.errno() !== constants.errno.ESRCH;
  }

  /**
   * @returns a child that has ended and was not waited for, so that its pid cannot be given to another; undefined when there
   *   is none.
   */
  endedChild(): number | undefined {
    this.#info.writeInt32LE(0, SI_PID_OFFSET);
    if (this.#waitid(P_ALL, 0, this.#info, WEXITED | WNOHANG | WNOWAIT) !== 0) return undefined;
    const pid = this.#info.readInt32LE(SI_PID_OFFSET);
    return pid === 0 ? undefined : pid;
  }

  /** Waits for a child that {@link endedChild} returned. */
  reap(pid: number): Reaped {
    this.#wait4(pid, this.#int, WNOHANG, this.#rusage);
    const status = this.#int.readInt32LE(0);
    const signal = status & 0x7f;
    const milliseconds = (offset: number) =>
      Number(this.#rusage.readBigInt64LE(offset)) * 1000 +
      Math.round(Number(this.#rusage.readBigInt64LE(offset + 8)) / 1000);
    return {
      ...(signal === 0 ? { exit_code: (status >> 8) & 0xff } : { signal }),
      user_cpu_ms: milliseconds(0),
      system_cpu_ms: milliseconds(16),
      max_rss_bytes: Number(this.#rusage.readBigInt64LE(32)) * 1024,
    };
  }
}
