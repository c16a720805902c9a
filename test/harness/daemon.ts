import { type ChildProcess, spawn } from 'node:child_process';
import { chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { cgroupName } from './cgroups.js';
import { cleanUp } from './daemon-cleanup.js';
import { asUser, execgoCommand } from './executable.js';
import { tempDir } from './temp-dir.js';
import { waitFor } from './wait.js';
import { watchAnswers } from './watch-answers.js';

/** Guard against a daemon that does not come up or does not stop, in milliseconds. */
const DAEMON_PATIENCE_MS = 30_000;

export interface DaemonOptions {
  /** Further flags of `serve`; they come last, so that they win over those of the harness. */
  flags?: readonly string[];
  /** Over the environment of the tests; undefined takes a variable away. TMPDIR is the harness's. */
  env?: Record<string, string | undefined>;
  /** A directory of the test's own; a new one by default. */
  dataDir?: string;
  /** As for {@link execgoCommand}. */
  program?: string;
  /** False for a daemon without cgroups. */
  cgroup?: boolean;
  /** User and group number that it runs as; what it runs from must be readable for all. */
  uid?: number;
  /** A Unix socket in the place of an address: its own, or one that is passed as systemd does. */
  listen?: { socket: string } | { passed: string };
}

/** One line of the daemon's log. */
export interface LogLine {
  level: number;
  msg: string;
  [field: string]: unknown;
}

export interface Daemon {
  /** Changes with a restart, as does {@link pid}. */
  readonly url: string;
  readonly pid: number;
  readonly dataDir: string;
  /** Last path component of its `--cgroup-root`. */
  readonly cgroup: string;
  /** Pid of the supervisor that this daemon announced. */
  supervisorPid: () => number;
  /** What every daemon of this object has logged so far, parsed; lines that are no JSON are left out. */
  logs: () => LogLine[];
  /** Everything it wrote to stdout and stderr, as it came. */
  output: () => string;
  /** SIGTERM, and waits for the end. The supervisor and its tasks stay. @throws Error when it does not exit with 0. */
  stop: () => Promise<void>;
  /** SIGKILL, and waits for the end. The supervisor and its tasks stay. */
  kill: () => Promise<void>;
  /** Stops it if it still runs and starts it again over the same data directory, on a new port. */
  restart: (options?: Pick<DaemonOptions, 'flags' | 'env'>) => Promise<void>;
  /** Resolves when the daemon's process has ended, however that came. */
  exited: () => Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/**
 * Starts the real executable over a data directory and a cgroup of its own and waits until it serves. After the test
 * the daemon, its supervisor and what they ran are ended, and the test fails if that takes force or something stays.
 * @throws Error with all that the daemon wrote when it ends, or does not serve in time.
 */
export async function startDaemon(options: DaemonOptions = {}): Promise<Daemon> {
  const base = tempDir();
  const home = {
    dataDir: options.dataDir ?? join(base, 'data'),
    // Inherited by supervisor and tasks: it tells whose they are.
    tmp: join(base, 'tmp'),
    cgroup: cgroupName(),
  };
  mkdirSync(home.tmp);
  const { uid } = options;
  if (uid !== undefined) for (const dir of [base, home.tmp]) chownSync(dir, uid, uid);
  const outputs: string[] = [];
  const supervisors = new Set<number>();
  const answers = watchAnswers();

  const start = async ({ flags = [], env = {}, listen }: DaemonOptions) => {
    const noCgroup = options.cgroup === false ? ['--disable-cgroup'] : [];
    const socket = listen !== undefined && 'socket' in listen ? listen.socket : undefined;
    const args = [
      ...(socket === undefined ? ['--listen-addr', '127.0.0.1:0'] : ['--listen-socket', socket]),
      '--data-dir',
      home.dataDir,
      '--cgroup-root',
      `/sys/fs/cgroup/${home.cgroup}`,
    ];
    const user = uid === undefined ? {} : asUser(uid);
    const command = execgoCommand(['serve', ...args, ...noCgroup, ...flags], options.program);
    const isPassed = listen !== undefined && 'passed' in listen;
    const child = spawn(...(isPassed ? passing(listen.passed, command.flat()) : command), {
      ...user,
      env: { ...process.env, ...env, ...user.env, TMPDIR: home.tmp },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const running = watch(child, outputs.push('') - 1, outputs);
    const ready = await readyLine(running);
    supervisors.add(ready.supervisorPid);
    answers.readFrom(ready.url);
    return { ...running, ...ready };
  };

  let current: Awaited<ReturnType<typeof start>> | undefined;
  // The first hook registered runs last: the temporary directory outlives what works in it.
  onTestFinished(async () => {
    current?.child.kill('SIGTERM');
    await cleanUp({ ...home, daemon: current, supervisors, patienceMs: DAEMON_PATIENCE_MS });
  });
  current = await start(options);
  const now = () => current!;

  const end = async (signal: NodeJS.Signals) => {
    now().child.kill(signal);
    await waitFor(() => now().ended(), {
      timeoutMs: DAEMON_PATIENCE_MS,
      what: `the daemon's end after ${signal}`,
    });
    return now().exit;
  };
  const stop = async () => {
    if (now().ended()) return;
    const { code, signal } = await end('SIGTERM');
    if (code !== 0)
      throw new Error(`the daemon exited with ${code ?? signal} after SIGTERM:\n${outputs.at(-1)}`);
  };
  return {
    get url() {
      return now().url;
    },
    get pid() {
      return now().child.pid!;
    },
    dataDir: home.dataDir,
    cgroup: home.cgroup,
    supervisorPid: () => now().supervisorPid,
    logs: () => outputs.flatMap(parseLog),
    output: () => outputs.join(''),
    stop,
    kill: async () => {
      await end('SIGKILL');
    },
    restart: async (again = {}) => {
      await stop();
      current = await start({ ...options, ...again });
    },
    exited: () => now().exit,
  };
}

/** A command line that becomes `command`, with a socket that listens at `path` as its descriptor 3. */
function passing(path: string, command: readonly string[]): [file: string, args: string[]] {
  const text = `import os, socket, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen(64)
os.dup2(listening.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])`;
  return ['python3', ['-c', text, path, ...command]];
}

interface Running {
  child: ChildProcess;
  output: () => string;
  ended: () => boolean;
  exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** Collects what `child` writes in `outputs[index]`. The pipes may outlive it, held by what it started. */
function watch(child: ChildProcess, index: number, outputs: string[]): Running {
  for (const stream of [child.stdout!, child.stderr!]) {
    stream
      .setEncoding('utf8')
      .on('data', (text: string) => (outputs[index] = `${outputs[index] ?? ''}${text}`));
  }
  let ended = false;
  const exit = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.on('error', (error) => {
      outputs[index] = `${outputs[index] ?? ''}${error.message}\n`;
      ended = true;
      resolve({ code: null, signal: null });
    });
    child.on('exit', (code, signal) => {
      ended = true;
      resolve({ code, signal });
    });
  });
  return { child, output: () => outputs[index] ?? '', ended: () => ended, exit };
}

async function readyLine(running: Running): Promise<{ url: string; supervisorPid: number }> {
  const line = await waitFor(
    () =>
      parseLog(running.output()).find((l) => l.msg === 'listening') ??
      (running.ended() ? 'ended' : undefined),
    { timeoutMs: DAEMON_PATIENCE_MS, what: 'the ready line of the daemon' },
  ).catch((error: unknown) => {
    throw new Error(`the daemon does not serve:\n${running.output()}`, { cause: error });
  });
  if (line === 'ended') {
    const { code, signal } = await running.exit;
    throw new Error(`the daemon exited with ${code ?? signal} before it served:\n${running.output()}`);
  }
  return { url: String(line['url']), supervisorPid: Number(line['supervisor_pid']) };
}

function parseLog(text: string): LogLine[] {
  // The last piece is a line only once its end has come.
  return text
    .split('\n')
    .slice(0, -1)
    .flatMap((line) => {
      try {
        return [JSON.parse(line) as LogLine];
      } catch {
        return [];
      }
    });
}
