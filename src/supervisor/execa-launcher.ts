import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { execa } from 'execa';
import { findByToken } from '../sandbox/process-identity.js';
import { describeErrno } from './launch-error.js';
import type { LaunchedProcess, Launcher, SpawnEvents, SpawnRequest, StreamName } from './launcher.js';

/** Node gives its own raised limit of open files to its children; a shell lowers it before it becomes the program. */
const WITH_SOFT_FILES = ['/bin/sh', '-c', 'ulimit -S -n 1024 2>/dev/null; exec "$@"', 'execgo'];

const NAMES: StreamName[] = ['stdout', 'stderr', 'report'];

/**
 * Launches through execa where libc cannot be called: slower, with sockets in place of pipes, without usage, and what
 * escapes from its process group is found by its token alone.
 */
export class ExecaLauncher implements Launcher {
  readonly kind = 'execa';
  readonly alwaysChain = true;

  constructor() {
    process.umask(0o022);
  }

  spawn(request: SpawnRequest, events: SpawnEvents): LaunchedProcess | undefined {
    const [file = '', ...args] = [...WITH_SOFT_FILES, ...request.argv];
    const child = execa(file, args, {
      env: { ...request.env },
      extendEnv: false,
      cwd: request.cwd,
      detached: true,
      cleanup: false,
      buffer: false,
      reject: false,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    const { pid } = child;
    if (pid === undefined) {
      void child.then((result) => {
        const { code } = result as { code?: string };
        const missing = code === 'ENOENT' ? `working directory ${request.cwd} does not exist` : undefined;
        events.failed(missing ?? describeErrno(code ?? 'unknown error'), false);
      });
      return undefined;
    }
    const streams = NAMES.map((name, index) => this.#attach(name, child.stdio[index + 1], events));
    child.once('exit', (code, signal) => {
      this.signal(-pid, constants.signals.SIGKILL);
      events.exit({
        ...(signal === null ? { exit_code: code ?? 0 } : { signal: constants.signals[signal] }),
        usage: {},
      });
    });
    const closeStreams = () => streams.forEach((stream) => stream.destroy());
    return { pid, closeStreams };
  }

  signal(pid: number, signal: number): boolean {
    try {
      return process.kill(pid, signal);
    } catch (error) {
      return (error as NodeJS.ErrnoException).code !== 'ESRCH';
    }
  }

  strays(token: string): number[] {
    return findByToken(token);
  }

  orphans(): number[] {
    return [];
  }

  close(): void {
    // Holds nothing of its own.
  }

  #attach(name: StreamName, stream: unknown, events: SpawnEvents): Readable {
    const readable = stream as Readable;
    readable.on('data', (chunk: Buffer) => events.data(name, chunk));
    readable.on('error', () => readable.destroy());
    readable.once('close', () => events.end(name));
    return readable;
  }
}
