import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { execa } from 'execa';
import { errnoOf } from '../../files/errno.js';
import { childState, findByToken } from '../../sandbox/process/process-identity.js';
import { closeInherited } from './inherited-files.js';
import type { Launcher, SpawnEvents, SpawnRequest, StreamName } from './launcher.js';
import type { Orphan } from './orphan.js';
import { Orphans } from './orphans.js';
import { explainSpawnFailure } from './spawn-error.js';

/**
 * Children of Node inherit its raised limit of open files and its oom_score_adj; a shell resets both before it executes the
 * program.
 */
const CORRECT = 'ulimit -S -n 1024 2>/dev/null; { echo 0 >/proc/self/oom_score_adj; } 2>/dev/null; exec "$@"';
const CORRECTED = ['/bin/sh', '-c', CORRECT, 'execgo'];

const NAMES: StreamName[] = ['stdout', 'stderr', 'report'];

/**
 * Launches through execa when libc cannot be called: slower, with sockets in place of pipes, and without usage. Of processes
 * that leave their process group and remove their token, it finds only those that a leader made as its siblings.
 */
export class ExecaLauncher implements Launcher {
  readonly kind = 'execa';
  readonly alwaysChain = true;
  /** execa's `spawn` is done when it returns. */
  readonly spawnsAtOnce = 1;
  readonly #orphans = new Orphans();

  constructor() {
    process.umask(0o022);
    closeInherited();
  }

  spawn(request: SpawnRequest, events: SpawnEvents): void {
    const [file = '', ...args] = [...CORRECTED, ...request.argv];
    const fail = (code: string) =>
      events.failed(explainSpawnFailure(code, undefined, request.cwd).reason, false);
    const child = start(file, args, request);
    if (child === undefined) {
      fail('EMFILE');
      return;
    }
    const { pid } = child;
    if (pid === undefined) {
      void child.then((result) => fail(errnoOf(result) ?? 'unknown error'));
      return;
    }
    this.#orphans.end({}, pid);
    const streams = NAMES.map((name, index) => this.#attach(name, child.stdio[index + 1], events));
    child.once('exit', (code, signal) => {
      this.#orphans.reaped(pid);
      this.signal(-pid, constants.signals.SIGKILL);
      events.exit({
        ...(signal === null ? { exit_code: code ?? 0 } : { signal: constants.signals[signal] }),
        usage: {},
      });
    });
    const closeStreams = () => streams.forEach((stream) => stream.destroy());
    // Every process goes through a launch chain here, which moves itself into cgroups: no pid has to be kept for that.
    events.spawned({ pid, keepPid: () => () => undefined, holders: () => [], closeStreams });
  }

  signal(pid: number, signal: number): boolean {
    try {
      return process.kill(pid, signal);
    } catch (error) {
      return errnoOf(error) !== 'ESRCH';
    }
  }

  strays(token: string): number[] {
    return findByToken(token);
  }

  /** Children that have ended and were not waited for are left out. */
  orphans(): readonly Orphan[] {
    return this.#orphans.all().filter(({ pid }) => childState(pid)?.hasEnded === false);
  }

  close(): void {
    this.#orphans.close();
  }

  #attach(name: StreamName, stream: unknown, events: SpawnEvents): Readable {
    const readable = stream as Readable;
    readable.on('data', (chunk: Buffer) => events.data(name, chunk));
    readable.on('error', () => readable.destroy());
    readable.once('close', () => events.end(name));
    return readable;
  }
}

/** Undefined when there are no descriptors left for the streams: Node then makes none, which execa does not expect. */
function start(file: string, args: string[], { env, cwd }: SpawnRequest) {
  try {
    return execa(file, args, {
      env: { ...env },
      extendEnv: false,
      cwd,
      detached: true,
      cleanup: false,
      buffer: false,
      reject: false,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
  } catch {
    return undefined;
  }
}
