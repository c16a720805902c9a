import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupName } from '../harness/cgroups.js';
import { cleanUp } from '../harness/daemon-cleanup.js';
import { EXECUTABLE } from '../harness/executable.js';
import { waitFor } from '../harness/wait.js';

/** Guard against a daemon that hangs, in milliseconds; long enough for a start over a million tasks. */
const PATIENCE_MS = 120_000;

export interface BenchDaemonOptions {
  /** Further flags of `serve`; they win over the port (any) and the queue length (no bound that matters). */
  flags?: readonly string[];
  /** What is started in the place of this Node with the built command line: a program and its first arguments. */
  program?: readonly [file: string, ...args: string[]];
  /** Flags of Node itself, such as `--cpu-prof`. */
  nodeFlags?: readonly string[];
  env?: Record<string, string>;
  /** A new directory by default. */
  dataDir?: string;
}

/** A running daemon. Its log goes to a file, as under a service manager, so that nobody has to read it meanwhile. */
export interface BenchDaemon {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly supervisorPid: number;
  readonly dataDir: string;
  /** From its spawn until it said that it listens, in milliseconds. */
  readonly startMs: number;
  /** SIGTERM; the supervisor and the tasks stay. Resolves when the process has ended. */
  stop: () => Promise<void>;
  /**
   * Ends it, its supervisor and its tasks. Does nothing the second time.
   * @throws Error when something took force or was left behind
   */
  end: () => Promise<void>;
}

/**
 * Starts the built executable and waits until it serves.
 * @param home a directory of its own: log, temporary files and, unless given, data go there
 * @throws Error with its log when it does not come up
 */
export async function startBenchDaemon(
  home: string,
  {
    flags = [],
    nodeFlags = [],
    program = [process.execPath, ...nodeFlags, EXECUTABLE],
    env = {},
    dataDir = join(home, 'data'),
  }: BenchDaemonOptions = {},
): Promise<BenchDaemon> {
  const tmp = join(home, 'tmp');
  mkdirSync(tmp);
  const logFile = join(home, 'daemon.log');
  const log = openSync(logFile, 'w');
  const cgroup = cgroupName();
  const args = ['--listen-addr', '127.0.0.1:0', '--data-dir', dataDir, '--max-queued-tasks', '1000000'];
  const began = performance.now();
  const [file, ...first] = program;
  const child = spawn(
    file,
    [...first, 'serve', ...args, '--cgroup-root', `/sys/fs/cgroup/${cgroup}`, ...flags],
    { env: { ...process.env, ...env, TMPDIR: tmp }, stdio: ['ignore', log, log] },
  );
  closeSync(log);
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  const supervisors = new Set<number>();
  let over = false;
  const end = async () => {
    if (over) return;
    over = true;
    child.kill('SIGTERM');
    await cleanUp({ dataDir, tmp, cgroup, daemon: { child, ended }, supervisors, patienceMs: PATIENCE_MS });
  };
  try {
    const ready = await listening(logFile, ended);
    const startMs = performance.now() - began;
    supervisors.add(ready.supervisor_pid);
    return {
      url: ready.url,
      port: Number(new URL(ready.url).port),
      pid: child.pid!,
      supervisorPid: ready.supervisor_pid,
      dataDir,
      startMs,
      stop: () => stop(child, ended),
      end,
    };
  } catch (error) {
    const text = readFileSync(logFile, 'utf8').slice(-4000);
    await end();
    throw new Error(`the daemon does not serve:\n${text}`, { cause: error });
  }
}

const READY_LINE = /^\{.*"msg":"listening".*\}\n/m;

interface ReadyLine {
  url: string;
  supervisor_pid: number;
}

async function listening(logFile: string, ended: () => boolean): Promise<ReadyLine> {
  const found = await waitFor(
    () => {
      const gone = ended();
      const line = READY_LINE.exec(readFileSync(logFile, 'utf8'))?.[0];
      return line ?? (gone && 'ended');
    },
    { timeoutMs: PATIENCE_MS, what: 'the ready line of the daemon' },
  );
  if (found === 'ended') throw new Error('the daemon ended before it served');
  return JSON.parse(found) as ReadyLine;
}

async function stop(child: ChildProcess, ended: () => boolean): Promise<void> {
  child.kill('SIGTERM');
  await waitFor(ended, { timeoutMs: PATIENCE_MS, what: "the daemon's end" });
}
