import {
  closeSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { carriesToken, descendantsOf, findByToken } from '../sandbox/process-identity.js';
import type { LaunchedProcess, Launcher, SpawnEvents, SpawnRequest, StreamName } from './launcher.js';
import { Libc } from './libc.js';
import type { Reaped } from './libc.js';
import { PipeReader } from './pipe-reader.js';
import { tryProgram } from './program-path.js';
import { explainSpawnFailure } from './spawn-error.js';

/** Soft limit of open files, as a login shell has it; Node raises its own to the hard limit. */
const SOFT_FILES = 1024;
const OOM_SCORE = '/proc/self/oom_score_adj';

interface Leader {
  events: SpawnEvents;
  readers: PipeReader[];
}

/**
 * Launches through posix_spawn(3) and reaps through waitid(2), on the main thread. The process becomes a child subreaper:
 * what loses its parent becomes a child of this one. Nothing else in the process may have children.
 */
export class LibcLauncher implements Launcher {
  readonly kind = 'libc';
  readonly alwaysChain = false;
  readonly #libc = new Libc(SOFT_FILES);
  readonly #leaders = new Map<number, Leader>();
  readonly #devNull = openSync('/dev/null', 'r');
  readonly #ownChildren = openOwnChildren();
  readonly #oomScore = ownOomScore();
  readonly #onChild = () => this.#reapAll();

  /** @throws Error where this machine's C library does not offer what is needed. */
  constructor() {
    process.umask(0o022);
    // What was left open by whoever started the daemon is not for tasks.
    for (const fd of readdirSync('/proc/self/fd').map(Number)) if (fd > 2) this.#libc.keepPrivate(fd);
    process.on('SIGCHLD', this.#onChild);
  }

  spawn(request: SpawnRequest, events: SpawnEvents): LaunchedProcess | undefined {
    const names: StreamName[] = request.report ? ['stdout', 'stderr', 'report'] : ['stdout', 'stderr'];
    const pipes: { read: number; write: number }[] = [];
    let errno = 0;
    while (errno === 0 && pipes.length < names.length) {
      const pipe = this.#libc.pipe();
      if (typeof pipe === 'number') errno = pipe;
      else pipes.push(pipe);
    }
    let pid: number | undefined;
    let file: string | undefined;
    if (errno === 0) {
      const result = this.#spawnProgram(request, [this.#devNull, ...pipes.map((pipe) => pipe.write)]);
      if ('pid' in result) pid = result.pid;
      else ({ errno, file } = result);
    }
    for (const pipe of pipes) this.#libc.close(pipe.write);
    if (pid === undefined) {
      for (const pipe of pipes) this.#libc.close(pipe.read);
      const failure = explainSpawnFailure(getSystemErrorName(-errno), file, request.cwd);
      events.failed(failure.reason, failure.fileAtFault);
      return undefined;
    }
    const readers = pipes.map((pipe, index) => {
      const name = names[index] ?? 'report';
      const data = (chunk: Buffer) => events.data(name, chunk);
      return new PipeReader(this.#libc, pipe.read, data, () => events.end(name));
    });
    this.#leaders.set(pid, { events, readers });
    const closeStreams = () => readers.forEach((reader) => reader.close());
    const holders = () => {
      const files = new Set(readers.flatMap((reader) => reader.file ?? []));
      return files.size === 0
        ? []
        : this.#withDescendants(this.orphans()).filter((each) => holds(each, files));
    };
    return { pid, holders, closeStreams };
  }

  signal(pid: number, signal: number): boolean {
    return this.#libc.kill(pid, signal);
  }

  strays(token: string): number[] {
    if (this.#ownChildren === undefined) return findByToken(token);
    return this.#withDescendants(this.orphans()).filter((pid) => carriesToken(pid, token));
  }

  orphans(): number[] {
    if (this.#ownChildren === undefined) return [];
    return readFrom(this.#ownChildren)
      .split(' ')
      .map(Number)
      .filter((pid) => pid > 0 && !this.#leaders.has(pid));
  }

  close(): void {
    process.off('SIGCHLD', this.#onChild);
    closeSync(this.#devNull);
    if (this.#ownChildren !== undefined) closeSync(this.#ownChildren);
  }

  #withDescendants(pids: number[]): number[] {
    return pids.flatMap((pid) => [pid, ...descendantsOf(pid)]);
  }

  #spawnProgram(
    request: SpawnRequest,
    fds: number[],
  ): { pid: number } | { errno: number; file: string | undefined } {
    const env = Object.entries(request.env).map(([name, value]) => `${name}=${value}`);
    const [program = '', ...args] = request.argv;
    let pid = 0;
    let tried: string | undefined;
    const attempt = (file: string): number => {
      // Asking first spares a process for every directory of PATH that does not have the program.
      if (file !== program) {
        const refused = this.#libc.executable(file);
        if (refused !== 0) return refused;
      }
      const spawn = (path: string, argv: readonly string[]) =>
        unprotected(this.#oomScore, () => this.#libc.spawn(path, argv, env, request.cwd, fds));
      tried = file;
      let result = spawn(file, request.argv);
      if ('errno' in result && result.errno === constants.errno.ENOEXEC)
        result = spawn('/bin/sh', ['/bin/sh', file, ...args]);
      if ('errno' in result) return result.errno;
      pid = result.pid;
      return 0;
    };
    const errno = tryProgram(program, request.env.PATH, request.cwd, attempt);
    return errno === 0 ? { pid } : { errno, file: tried };
  }

  #reapAll(): void {
    for (let pid = this.#libc.endedChild(); pid !== undefined; pid = this.#libc.endedChild()) {
      const leader = this.#leaders.get(pid);
      // Until it is waited for, the pid of the leader, and so the name of its group, cannot be given to another.
      if (leader !== undefined) this.#libc.kill(-pid, constants.signals.SIGKILL);
      const reaped = this.#libc.reap(pid);
      if (leader === undefined) continue;
      this.#leaders.delete(pid);
      for (const reader of leader.readers) reader.drain();
      leader.events.exit({
        ...(reaped.signal === undefined ? { exit_code: reaped.exit_code ?? 0 } : { signal: reaped.signal }),
        usage: {
          user_cpu_ms: reaped.user_cpu_ms,
          system_cpu_ms: reaped.system_cpu_ms,
          ...knownPeak(reaped),
        },
      });
    }
  }
}

/** A process that shares our memory until its exec starts with our peak: below that, nothing is known. */
function knownPeak(reaped: Reaped): { max_rss_bytes?: number } {
  const floor = process.resourceUsage().maxRSS * 1024;
  return reaped.max_rss_bytes > floor ? { max_rss_bytes: reaped.max_rss_bytes } : {};
}

/** Children of the main thread, which spawns all of ours and is given all orphans. */
function openOwnChildren(): number | undefined {
  try {
    return openSync(`/proc/self/task/${process.pid}/children`, 'r');
  } catch {
    return undefined;
  }
}

function readFrom(fd: number): string {
  const page = Buffer.alloc(4096);
  let text = '';
  for (;;) {
    const count = readSync(fd, page, 0, page.length, text.length);
    if (count === 0) return text;
    text += page.toString('latin1', 0, count);
  }
}

function ownOomScore(): string {
  try {
    return readFileSync(OOM_SCORE, 'utf8').trim();
  } catch {
    return '0';
  }
}

/**
 * Spawns with an oom_score_adj of 0, which the new process takes over: protection from the kernel's out-of-memory killer
 * is for the supervisor, not for tasks. It may always return to the score that it was started with.
 */
function unprotected<T>(ownScore: string, spawn: () => T): T {
  if (ownScore === '0') return spawn();
  setOomScore('0');
  try {
    return spawn();
  } finally {
    setOomScore(ownScore);
  }
}

function setOomScore(score: string): void {
  try {
    writeFileSync(OOM_SCORE, score);
  } catch {
    // A /proc that may not be written to.
  }
}

/** True when `pid` has one of `files` open, as /proc names them. */
function holds(pid: number, files: ReadonlySet<string>): boolean {
  try {
    const fds = `/proc/${pid}/fd`;
    return readdirSync(fds).some((fd) => files.has(readlinkSync(`${fds}/${fd}`)));
  } catch {
    // It has ended meanwhile.
    return false;
  }
}
