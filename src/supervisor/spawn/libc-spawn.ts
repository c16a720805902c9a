import koffi from 'koffi';
import type { KoffiFunc } from 'koffi';
import type { UnfinishedSpawn } from './orphans.js';

const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;
/** Larger than posix_spawnattr_t (336 in glibc), posix_spawn_file_actions_t (80) and sigset_t (128). */
const OPAQUE_BYTES = 512;

/** Since glibc 2.29. */
const ADD_CHDIR = 'int posix_spawn_file_actions_addchdir_np(void *actions, const char *path)';

type Call = (...args: unknown[]) => number;
type Spawn = KoffiFunc<
  (pid: Buffer, path: string, actions: Buffer, attributes: Buffer, argv: Args, env: Args) => number
>;
type Args = (string | null)[];

/** A pid, or the errno for which no process was made. */
export type SpawnResult = { pid: number } | { errno: number };

/** The arguments of posix_spawn(3). */
export interface Program {
  path: string;
  argv: readonly string[];
  /** `NAME=value`. */
  env: readonly string[];
  cwd: string;
  /** Descriptors of this process that become 0, 1, 2 … of the new one. */
  fds: readonly number[];
}

/** Memory that the C library writes to during a call: two calls must not share it. */
interface CallBuffers {
  actions: Buffer;
  pid: Buffer;
}

/** posix_spawn(3). Every process gets a session of its own, with the default action for every signal and none blocked. */
export class LibcSpawn {
  readonly #spawn: Spawn;
  readonly #actionsInit: Call;
  readonly #actionsDestroy: Call;
  readonly #actionsDup2: Call;
  readonly #actionsChdir: Call;
  readonly #attributes = Buffer.alloc(OPAQUE_BYTES);
  readonly #unused: CallBuffers[] = [];

  /** @throws Error when the C library lacks what is needed. */
  static check(): void {
    koffi.load(null).func(ADD_CHDIR);
  }

  /** @throws Error when the C library lacks what is needed. */
  constructor() {
    const library = koffi.load(null);
    const declare = (declaration: string): Call => library.func(declaration) as Call;
    this.#actionsInit = declare('int posix_spawn_file_actions_init(void *actions)');
    this.#actionsDestroy = declare('int posix_spawn_file_actions_destroy(void *actions)');
    this.#actionsDup2 = declare('int posix_spawn_file_actions_adddup2(void *actions, int from, int to)');
    this.#actionsChdir = declare(ADD_CHDIR);
    this.#spawn = library.func(
      'int posix_spawn(void *pid, const char *path, void *actions, void *attributes, const char **argv, const char **envp)',
    );
    // sigfillset(3) leaves out the two signals that the C library uses itself, and the task would then inherit that they are
    // ignored.
    const signals = Buffer.alloc(OPAQUE_BYTES, 0xff);
    declare('int posix_spawnattr_init(void *attributes)')(this.#attributes);
    declare('int posix_spawnattr_setsigdefault(void *attributes, void *set)')(this.#attributes, signals);
    signals.fill(0);
    declare('int posix_spawnattr_setsigmask(void *attributes, void *set)')(this.#attributes, signals);
    declare('int posix_spawnattr_setflags(void *attributes, short flags)')(
      this.#attributes,
      POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK,
    );
  }

  /**
   * Spawns on this thread. @param around sets during the call what the process is to inherit. Everything else is prepared
   * before, because the C library refuses descriptors above the limit of open files.
   * @returns once the program is reached, which takes as long as everything else about a short task.
   */
  now(program: Program, around: (spawn: () => number) => number): SpawnResult {
    const buffers = this.#takeBuffers();
    const refused = this.#prepare(program, buffers);
    const errno = refused === 0 ? around(() => this.#spawn(...this.#arguments(program, buffers))) : refused;
    return this.#finish(buffers, errno);
  }

  /**
   * Spawns on a thread of libuv's pool. The process is a child of this whole process; only /proc tells which thread made it.
   * @param spawn gets the place of the pid, which is written before this process hears of it
   */
  onThread(program: Program, spawn: UnfinishedSpawn): Promise<SpawnResult> {
    const buffers = this.#takeBuffers();
    return new Promise((resolve) => {
      const done = (errno: number) => {
        spawn.pid = undefined;
        resolve(this.#finish(buffers, errno));
      };
      const refused = this.#prepare(program, buffers);
      buffers.pid.writeInt32LE(0, 0);
      spawn.pid = buffers.pid;
      if (refused === 0)
        this.#spawn.async(...this.#arguments(program, buffers), (_error: unknown, errno: number) =>
          done(errno),
        );
      else done(refused);
    });
  }

  #takeBuffers(): CallBuffers {
    return this.#unused.pop() ?? { actions: Buffer.alloc(OPAQUE_BYTES), pid: Buffer.alloc(4) };
  }

  /** @returns 0 or an errno. */
  #prepare({ cwd, fds }: Program, { actions }: CallBuffers): number {
    const errno = this.#actionsInit(actions);
    return fds.reduce(
      (failed, fd, index) => (failed === 0 ? this.#actionsDup2(actions, fd, index) : failed),
      errno === 0 ? this.#actionsChdir(actions, cwd) : errno,
    );
  }

  #arguments({ path, argv, env }: Program, { pid, actions }: CallBuffers): Parameters<Spawn> {
    return [pid, path, actions, this.#attributes, [...argv, null], [...env, null]];
  }

  #finish(buffers: CallBuffers, errno: number): SpawnResult {
    this.#actionsDestroy(buffers.actions);
    this.#unused.push(buffers);
    return errno === 0 ? { pid: buffers.pid.readInt32LE(0) } : { errno };
  }
}
