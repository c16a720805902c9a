import { execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { onTestFinished } from 'vitest';
import { readReport } from '../../src/sandbox/chain/chain-report.js';
import { chainLaunch } from '../../src/sandbox/chain/chain.js';
import type { CgroupSpec, ChainSpec } from '../../src/sandbox/launch.js';
import { tempDir } from '../harness/temp-dir.js';

export interface ChainRun {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  report: ReturnType<typeof readReport>;
}

export interface ChainOptions {
  chain?: Partial<ChainSpec>;
  cgroup?: CgroupSpec | undefined;
  env?: Record<string, string>;
  cwd?: string;
  /** Another shell than /bin/sh, with its leading arguments, for every stage. */
  shell?: string[];
  /** Gives the chain a socket instead of a pipe at 3. */
  socket?: boolean;
}

/** A started chain. `reported` comes with the end of descriptor 3, `ended` with that of all streams. */
export interface StartedChain {
  pid: number;
  reported: Promise<string>;
  /** What stdout holds so far. */
  stdout: () => string;
  ended: Promise<ChainRun>;
}

/** A real pipe, which `spawn` does not give: its streams are sockets. */
function openPipe(): { writeFd: number; reader: Socket } {
  const path = join(tempDir(), 'report');
  execFileSync('mkfifo', [path]);
  const readFd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return {
    writeFd: openSync(path, 'w'),
    reader: new Socket({ fd: readFd, readable: true, writable: false }),
  };
}

/** Spawns a launch chain as a supervisor does: own session, a pipe at 3, and KILL to the group when the leader has exited. */
export function startChain(argv: string[], options: ChainOptions = {}): StartedChain {
  const chain = { wrappers: [], ...options.chain };
  const launch = chainLaunch(chain, options.cgroup, {
    argv,
    env: options.env ?? { PATH: process.env['PATH'] ?? '' },
    cwd: options.cwd ?? (chain.chroot === undefined ? process.cwd() : '/'),
  });
  const full = launch.argv;
  const [file = '', ...args] = options.shell === undefined ? full : withShell(full, options.shell);
  const pipe = options.socket === true ? undefined : openPipe();
  const child = spawn(file, args, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', pipe?.writeFd ?? 'pipe'],
    env: { ...launch.env },
    cwd: launch.cwd,
  });
  if (pipe !== undefined) closeSync(pipe.writeFd);
  const { pid } = child;
  if (pid === undefined) throw new Error(`cannot start ${file}`);
  onTestFinished(() => killGroup(pid));
  child.on('exit', () => killGroup(pid));
  const reader = pipe?.reader ?? (child.stdio[3] as Readable);
  const [stdout, stderr, report] = [collect(child.stdout), collect(child.stderr), collect(reader)];
  const reported = new Promise<string>((resolve) => {
    reader.on('close', () => resolve(report()));
  });
  const closed = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
  const ended = Promise.all([closed, reported]).then(([end, text]) => ({
    ...end,
    stdout: stdout(),
    stderr: stderr(),
    report: readReport(text, stderr()),
  }));
  return { pid, reported, stdout, ended };
}

/** The chain with another shell for each stage of its own. */
function withShell(argv: string[], shell: string[]): string[] {
  return argv.flatMap((word, n) => (word === '/bin/sh' && argv[n + 3] === 'execgo' ? shell : [word]));
}

/** Runs a launch chain to its end. */
export function runChain(argv: string[], options: ChainOptions = {}): Promise<ChainRun> {
  return startChain(argv, options).ended;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

function collect(stream: Readable | null): () => string {
  const chunks: Buffer[] = [];
  stream?.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString();
}
