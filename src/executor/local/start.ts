import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { makeDirectories } from '../../files/make-directories.js';
import { PLACE_VARIABLES } from '../../binary/native-places.js';
import { startTicks } from '../../sandbox/process/process-identity.js';
import type { LauncherChoice } from '../../supervisor/spawn/choose-launcher.js';
import { writeSecret } from '../../supervisor/wire/proof.js';
import { SUPERVISOR_FILES } from '../../supervisor/wire/protocol.js';
import { findSocketPath, removeSocketPlace } from '../../supervisor/wire/socket-path.js';

/** A start takes about 0.1 s; this is for a machine that is very busy. */
const START_TIMEOUT_MS = 60_000;
const RETRY_MS = 5;
const LOG_TAIL_BYTES = 2000;
/** A small young generation: what a supervisor allocates is either garbage at once or lives as long as a task. */
const NODE_FLAG = '--max-semi-space-size=2';
/** The program of this process, even if another has been put in the place of its file meanwhile. */
const ITSELF = '/proc/self/exe';
/** For four spawns at a time and as many moves into cgroups, each of which blocks a thread. */
const UV_THREADPOOL_SIZE = '8';
/** Variables that only tests set. */
const TEST_SWITCHES = ['EXECGO_SUPERVISOR_CRASH_AT', 'EXECGO_TEST_LAUNCH_VERSION'];
/**
 * The daemon's variables that a supervisor inherits. Tasks see none of them: their environment comes with each launch
 * message.
 */
const INHERITED = ['PATH', 'HOME', 'LANG', 'NODE_EXTRA_CA_CERTS', ...PLACE_VARIABLES, ...TEST_SWITCHES];

export interface StartOptions {
  /** `<data-dir>/supervisor`. */
  root: string;
  /** Name of its directory; a new one by default. */
  incarnation?: string;
  version: string;
  /**
   * Path of the program that this Node runs as `<entry> internal-supervisor …`; undefined when this process is the single
   * executable, which is the program itself.
   */
  entry: string | undefined;
  launcher?: LauncherChoice;
  /** Milliseconds. */
  idleExitMs?: number;
  /** Added to its environment. */
  env?: Record<string, string>;
}

export interface SupervisorProcess {
  incarnation: string;
  pid: number;
  /** Field 22 of /proc/<pid>/stat; 0 where there is no /proc. */
  start_ticks: number;
  dir: string;
  /** Calls back when the process ends before this one. */
  onExit(listener: () => void): void;
  /** Ends a supervisor that was never given an attempt, and removes its directory. */
  discard(): void;
}

/**
 * Starts a detached supervisor, which survives this process.
 * @returns once its socket accepts connections.
 * @throws Error with the end of its log when it ends before that, or takes too long, and when its directory cannot be
 *   written to; then neither process nor directory is left.
 */
export async function startSupervisor(options: StartOptions): Promise<SupervisorProcess> {
  const incarnation = options.incarnation ?? `${Date.now().toString(36)}-${randomBytes(4).toString('hex')}`;
  const dir = resolve(options.root, incarnation);
  const removeDir = () => {
    removeSocketPlace(dir);
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    makeDirectories(dir, 0o700);
    writeSecret(dir);
    const { child, pid } = await startProcess(options, dir, incarnation);
    return {
      incarnation,
      pid,
      start_ticks: startTicks(pid) ?? 0,
      dir,
      onExit: (listener) => child.once('exit', listener),
      discard: () => {
        child.kill('SIGKILL');
        removeDir();
      },
    };
  } catch (error) {
    removeDir();
    throw error;
  }
}

async function startProcess(
  options: StartOptions,
  dir: string,
  incarnation: string,
): Promise<{ child: ChildProcess; pid: number }> {
  const child = spawnDetached(options, dir, incarnation);
  const pid = child.pid;
  if (pid === undefined) throw await spawnError(child);
  try {
    await accepting(child, dir);
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
  child.unref();
  return { child, pid };
}

function spawnDetached(options: StartOptions, dir: string, incarnation: string): ChildProcess {
  const { version, entry, launcher, idleExitMs, env } = options;
  const inherited = INHERITED.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const args = ['--dir', dir, '--incarnation', incarnation, '--version', version];
  if (launcher !== undefined) args.push('--launcher', launcher);
  if (idleExitMs !== undefined) args.push('--idle-exit-ms', String(idleExitMs));
  // It gets what the supervisor writes before it has opened its log, and what Node writes when it crashes.
  const log = openSync(join(dir, SUPERVISOR_FILES.log), 'a', 0o600);
  try {
    const command = ['internal-supervisor', ...args];
    const [file, argv, flags] =
      entry === undefined
        ? [existsSync(ITSELF) ? ITSELF : process.execPath, command, { NODE_OPTIONS: NODE_FLAG }]
        : [process.execPath, [NODE_FLAG, resolve(entry), ...command], {}];
    return spawn(file, argv, {
      argv0: process.execPath,
      detached: true,
      cwd: '/',
      env: { UV_THREADPOOL_SIZE, ...flags, ...Object.fromEntries(inherited), ...env },
      stdio: ['ignore', log, log],
    });
  } finally {
    closeSync(log);
  }
}

function spawnError(child: ChildProcess): Promise<Error> {
  return new Promise((done) =>
    child.once('error', (error) => done(new Error(`cannot start a supervisor: ${error.message}`))),
  );
}

async function accepting(child: ChildProcess, dir: string): Promise<void> {
  const giveUpAt = performance.now() + START_TIMEOUT_MS;
  while (!(await accepts(findSocketPath(dir)))) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`the supervisor ended while it started: ${logTail(dir)}`);
    if (performance.now() > giveUpAt)
      throw new Error(`the supervisor did not start within ${START_TIMEOUT_MS} ms: ${logTail(dir)}`);
    await new Promise((next) => setTimeout(next, RETRY_MS));
  }
}

function accepts(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });
}

function logTail(dir: string): string {
  const log = readFileSync(join(dir, SUPERVISOR_FILES.log), 'utf8').trim();
  return log === '' ? 'it said nothing' : log.slice(-LOG_TAIL_BYTES);
}
