import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { findByToken, threadsOf } from '../../sandbox/process/process-identity.js';
import { Epoll } from './epoll.js';
import type { ExitStatus, Launcher, SpawnEvents, SpawnRequest, StreamName } from './launcher.js';
import { Libc } from './libc.js';
import type { Reaped } from './libc.js';
import type { SpawnResult } from './libc-spawn.js';
import type { Orphan } from './orphan.js';
import { Orphans, type UnfinishedSpawn } from './orphans.js';
import { PeakFloor } from './peak-floor.js';
import { PipeReader } from './pipe-reader.js';
import { tryProgram } from './program-path.js';
import { explainSpawnFailure } from './spawn-error.js';
import { Spawner } from './spawner.js';

/** Soft limit of open files, as a login shell has it; Node raises its own to the hard limit. */
const SOFT_FILES = 1024;

interface Leader {
  events: SpawnEvents;
  readers: PipeReader[];
  /** How many callers of `keepPid` need the pid to stay reserved. */
  keepers: number;
}

interface End {
  leader: Leader;
  status: ExitStatus;
}

/** A stream for a process that is not made yet, with both ends of its pipe. */
interface Stream {
  name: StreamName;
  read: number;
  write: number;
}

/**
 * Launches with posix_spawn(3) on libuv's threads, and reaps with waitid(2) on the main thread. Makes this process a child
 * subreaper: a process that loses its parent becomes a child of this one. Nothing else in this process may have children.
 */
export class LibcLauncher implements Launcher {
  readonly kind = 'libc';
  readonly alwaysChain = false;
  /** libuv has four threads. */
  readonly spawnsAtOnce = 4;
  readonly #libc = new Libc(SOFT_FILES);
  readonly #epoll = new Epoll();
  readonly #spawner = new Spawner(this.#libc);
  readonly #leaders = new Map<number, Leader>();
  /** A child has ended that may be the process of a spawn that is not finished; reaping waits for that spawn. */
  #isHeldUp = false;
  #openStreams = 0;
  readonly #devNull = openSync('/dev/null', 'r');
  readonly #orphans = new Orphans(Number(process.env['UV_THREADPOOL_SIZE']));
  readonly #peakFloor = new PeakFloor();
  readonly #onChild = () => this.#reapAll();

  /** @throws Error when this machine's C library lacks what is needed. */
  constructor() {
    process.umask(0o022);
    // Descriptors that the starter of the daemon left open are not meant for tasks.
    for (const fd of readdirSync('/proc/self/fd').map(Number)) if (fd > 2) this.#libc.keepPrivate(fd);
    process.on('SIGCHLD', this.#onChild);
  }

  spawn(request: SpawnRequest, events: SpawnEvents): void {
    void this.#spawn(request, events);
  }

  signal(pid: number, signal: number): boolean {
    const exists = this.#libc.kill(pid, signal);
    if (exists) this.#orphans.changed();
    return exists;
  }

  strays(token: string): number[] {
    if (!this.#orphans.isKept) return findByToken(token);
    return this.#orphans.carrying(token);
  }

  orphans(): readonly Orphan[] {
    return this.#orphans.all();
  }

  close(): void {
    process.off('SIGCHLD', this.#onChild);
    this.#epoll.close();
    closeSync(this.#devNull);
    this.#orphans.close();
  }

  /** How many descriptors are open here for tasks: their pipes, and two log files for each task that has written something. */
  get #descriptors(): number {
    return this.#openStreams + 2 * (this.#leaders.size + this.#orphans.spawning);
  }

  async #spawn(request: SpawnRequest, events: SpawnEvents): Promise<void> {
    const streams: Stream[] = [];
    const spawn: UnfinishedSpawn = {};
    this.#orphans.begin(spawn);
    const result = await this.#spawnProgram(request, streams, spawn);
    this.#orphans.end(spawn, 'pid' in result ? result.pid : undefined);
    for (const stream of streams) this.#libc.close(stream.write);
    if ('pid' in result) this.#lead(result.pid, streams, events);
    else {
      for (const stream of streams) this.#libc.close(stream.read);
      this.#openStreams -= streams.length;
      const failure = explainSpawnFailure(
        getSystemErrorName(-result.errno),
        result.file,
        request.cwd,
        // An empty name is not searched in PATH.
        request.argv[0] === '' ? undefined : { path: request.env.PATH },
      );
      events.failed(failure.reason, failure.fileAtFault);
    }
    if (this.#isHeldUp) this.#reapAll();
  }

  /** @returns 0, or the errno for which a pipe could not be made. */
  #makeStreams({ report, outputOwner: owner }: SpawnRequest, streams: Stream[]): number {
    const names: StreamName[] = report ? ['stdout', 'stderr', 'report'] : ['stdout', 'stderr'];
    for (const name of names) {
      const pipe = this.#libc.pipe();
      if (typeof pipe === 'number') return pipe;
      streams.push({ name, ...pipe });
      this.#openStreams++;
      if (owner === undefined || name === 'report') continue;
      const refused = this.#libc.chown(pipe.write, owner.uid, owner.gid);
      if (refused !== 0) return refused;
    }
    return 0;
  }

  async #spawnProgram(
    request: SpawnRequest,
    streams: Stream[],
    spawn: UnfinishedSpawn,
  ): Promise<{ pid: number } | { errno: number; file?: string | undefined }> {
    const unmade = this.#makeStreams(request, streams);
    if (unmade !== 0) return { errno: unmade };
    const fds = [this.#devNull, ...streams.map((stream) => stream.write)];
    const env = Object.entries(request.env).map(([name, value]) => `${name}=${value}`);
    const [program = '', ...args] = request.argv;
    let pid = 0;
    let tried: string | undefined;
    const attempt = async (file: string): Promise<number> => {
      // Checking first saves a process for every directory of PATH that does not have the program.
      if (file !== program) {
        const refused = this.#libc.executable(file);
        if (refused !== 0) return refused;
      }
      tried = file;
      let result = await this.#try(file, request.argv, env, request.cwd, fds, spawn);
      if ('errno' in result && result.errno === constants.errno.ENOEXEC)
        result = await this.#try('/bin/sh', ['/bin/sh', file, ...args], env, request.cwd, fds, spawn);
      if ('errno' in result) return result.errno;
      pid = result.pid;
      return 0;
    };
    const errno = await tryProgram(program, request.env.PATH, request.cwd, attempt);
    return errno === 0 ? { pid } : { errno, file: tried };
  }

  async #try(
    path: string,
    argv: readonly string[],
    env: readonly string[],
    cwd: string,
    fds: readonly number[],
    spawn: UnfinishedSpawn,
  ): Promise<SpawnResult> {
    const result = await this.#spawner.spawn({ path, argv, env, cwd, fds }, this.#descriptors, spawn);
    if ('errno' in result) this.#orphans.failed(spawn);
    return result;
  }

  #lead(pid: number, streams: Stream[], events: SpawnEvents): void {
    const readers = streams.map(({ name, read }) => {
      const data = (chunk: Buffer) => events.data(name, chunk);
      return new PipeReader(this.#libc, this.#epoll, read, data, () => {
        this.#openStreams--;
        events.end(name);
      });
    });
    const leader: Leader = { events, readers, keepers: 0 };
    this.#leaders.set(pid, leader);
    const keepPid = () => {
      leader.keepers++;
      return () => {
        leader.keepers--;
        this.#reapAll();
      };
    };
    const closeStreams = () => readers.forEach((reader) => reader.close());
    const holders = () => {
      const files = new Set(readers.flatMap((reader) => reader.file ?? []));
      return files.size === 0 ? [] : this.#orphans.settled().filter((each) => holds(each, files));
    };
    events.spawned({ pid, keepPid, holders, closeStreams });
  }

  #reapAll(): void {
    const ends = this.#waitForEnded();
    // All of them had ended before the first end is told, so that one look at the list of orphans is enough for all.
    this.#orphans.hold(() => {
      for (const end of ends) {
        try {
          tellEnd(end);
        } catch (error) {
          // The others are reaped already and must be told too, so this error is thrown later.
          setImmediate(() => {
            throw error;
          });
        }
      }
    });
  }

  #waitForEnded(): End[] {
    const ends: End[] = [];
    for (let pid = this.#libc.endedChild(); pid !== undefined; pid = this.#libc.endedChild()) {
      const leader = this.#leaders.get(pid);
      // Reaping goes on when that spawn is finished, or the pid is no longer kept.
      this.#isHeldUp = leader === undefined && this.#orphans.mayLead(pid);
      if (this.#isHeldUp || (leader?.keepers ?? 0) > 0) return ends;
      // Until it is waited for, the leader's pid, and so the number of its group, cannot be given to another.
      if (leader !== undefined) this.#libc.kill(-pid, constants.signals.SIGKILL);
      const reaped = this.#libc.reap(pid);
      this.#leaders.delete(pid);
      this.#orphans.reaped(pid);
      if (leader !== undefined) ends.push({ leader, status: this.#statusOf(reaped) });
    }
    this.#isHeldUp = false;
    return ends;
  }

  #statusOf({ exit_code, signal, user_cpu_ms, system_cpu_ms, max_rss_bytes }: Reaped): ExitStatus {
    const peak = this.#peakFloor.above(max_rss_bytes);
    return {
      ...(signal === undefined ? { exit_code: exit_code ?? 0 } : { signal }),
      usage: { user_cpu_ms, system_cpu_ms, ...(peak === undefined ? {} : { max_rss_bytes: peak }) },
    };
  }
}

function tellEnd({ leader, status }: End): void {
  for (const reader of leader.readers) reader.drain();
  leader.events.exit(status);
}

/**
 * True when a thread of `pid` has one of `files` open, by their names in /proc: each thread may have descriptors of its own.
 */
function holds(pid: number, files: ReadonlySet<string>): boolean {
  return threadsOf(pid).some((tid) => {
    try {
      const fds = `/proc/${pid}/task/${tid}/fd`;
      return readdirSync(fds).some((fd) => files.has(readlinkSync(`${fds}/${fd}`)));
    } catch {
      // It has ended meanwhile.
      return false;
    }
  });
}
