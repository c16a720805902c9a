import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { cgroupName } from '../harness/cgroups.js';
import { cleanUp } from '../harness/daemon-cleanup.js';
import {
  command,
  EXECUTABLE,
  http,
  listProcesses,
  openFds,
  submit,
  tempDir,
  waitFor,
  waitForEnd,
} from '../harness/index.js';
import { watchAnswers } from '../harness/watch-answers.js';
import { printed, startedPid, statusOf } from './support.js';

/** Guard against a daemon that hangs, in milliseconds. */
const PATIENCE_MS = 30_000;
const POLL_MS = 100;

/** Runs the command line that it is given once for each line that it reads; all of them get the socket, which is its fd 3. */
const HOLDER = `while read -r _; do
  sh -c 'LISTEN_PID=$$ exec "$@"' sh "$@" & echo "pid $!"; wait $!; echo "exit $?"; done`;

/** What systemd does for a socket unit: holds the listening socket, and passes it to one daemon after the other. */
class SocketHolder {
  private readonly shell: ChildProcess;
  private readonly supervisors = new Set<number>();
  private output = '';
  private starts = 0;

  private constructor(
    readonly url: string,
    fd: number,
    private readonly home: { dataDir: string; tmp: string; cgroup: string },
  ) {
    const { dataDir, tmp, cgroup } = home;
    const serve = ['serve', '--data-dir', dataDir, '--cgroup-root', `/sys/fs/cgroup/${cgroup}`];
    this.shell = spawn('/bin/sh', ['-c', HOLDER, 'sh', process.execPath, EXECUTABLE, ...serve], {
      env: { ...process.env, TMPDIR: tmp, LISTEN_FDS: '1' },
      stdio: ['pipe', 'pipe', 'inherit', fd],
    });
    this.shell.stdout!.setEncoding('utf8').on('data', (text: string) => (this.output += text));
  }

  static async create(): Promise<SocketHolder> {
    const base = tempDir();
    const home = { dataDir: join(base, 'data'), tmp: join(base, 'tmp'), cgroup: cgroupName() };
    mkdirSync(home.tmp);
    const listener = createServer();
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
    const { fd } = (listener as unknown as { _handle: { fd: number } })._handle;
    const holder = new SocketHolder(url, fd, home);
    // From here on the shell alone holds it, which accepts nothing.
    listener.close();
    watchAnswers().readFrom(url);
    onTestFinished(() => holder.end());
    return holder;
  }

  /** Begins a daemon, which is not ready when this returns. */
  start(): void {
    this.starts++;
    this.shell.stdin!.write('\n');
  }

  /** Waits until it serves. @returns its pid */
  async ready(): Promise<number> {
    const over = () => this.lines('{').length === this.starts || this.lines('exit').length === this.starts;
    await waitFor(over, { timeoutMs: PATIENCE_MS, what: 'the daemon' });
    const lines = this.lines('{');
    expect(lines, this.output).toHaveLength(this.starts);
    const { url, pid, supervisor_pid } = JSON.parse(lines.at(-1)!) as Record<string, number | string>;
    expect(url).toBe(this.url);
    this.supervisors.add(Number(supervisor_pid));
    return Number(pid);
  }

  /** Tells the daemon to stop, and waits for its end. */
  async stop(): Promise<void> {
    if (this.lines('exit').length === this.starts) return;
    process.kill(await this.ready(), 'SIGTERM');
    await waitFor(() => this.lines('exit').length === this.starts, {
      timeoutMs: PATIENCE_MS,
      what: 'the end of the daemon',
    });
    expect(this.lines('exit').at(-1), this.output).toBe('exit 0');
  }

  private lines(start: string): string[] {
    const whole = this.output.split('\n').slice(0, -1);
    return whole.filter(
      (line) => line.startsWith(start) && (start !== '{' || line.includes('"msg":"listening"')),
    );
  }

  private async end(): Promise<void> {
    try {
      await this.stop();
    } finally {
      this.shell.stdin!.end();
    }
    await once(this.shell, 'exit');
    await cleanUp({
      ...this.home,
      daemon: undefined,
      supervisors: this.supervisors,
      patienceMs: PATIENCE_MS,
    });
  }
}

/** Asks for the status again and again, as a control plane does, and keeps what was not a 200. */
class Poller {
  readonly failures: string[] = [];
  answers = 0;
  private stopped = false;
  private readonly loop: Promise<void>;

  constructor(
    private readonly url: string,
    private readonly agent: Agent | false,
  ) {
    this.loop = this.run();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.loop;
    if (this.agent !== false) this.agent.destroy();
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      try {
        const status = await this.ask();
        this.answers++;
        if (status !== 200) this.failures.push(`status ${status}`);
      } catch (error) {
        this.failures.push(String(error));
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  private ask(): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      get(this.url, { agent: this.agent }, (res) => {
        res.on('error', reject);
        res.resume().on('end', () => resolve(res.statusCode));
      }).on('error', reject);
    });
  }
}

test('with a passed socket a client that polls every 100 ms does not notice restarts', async () => {
  const holder = await SocketHolder.create();
  holder.start();
  await holder.ready();
  const id = await submit(holder, command('sh', ['-c', 'echo up; exec sleep 600']));
  await printed(holder, id, 'up\n');
  // Its output is read from its file, and may be there before the daemon has heard that it started.
  const pid = await startedPid(holder, id);
  const status = `${holder.url}/api/v1/tasks/${id}`;
  const pollers = [
    new Poller(status, false),
    new Poller(status, false),
    new Poller(status, new Agent({ keepAlive: true, maxSockets: 1 })),
  ];
  for (let round = 0; round < 3; round++) {
    const more = pollers.map((poller) => poller.answers + 3);
    await waitFor(() => pollers.every((poller, i) => poller.answers >= more[i]!));
    await holder.stop();
    holder.start();
    await holder.ready();
  }
  const enough = pollers.map((poller) => poller.answers + 5);
  await waitFor(() => pollers.every((poller, i) => poller.answers >= enough[i]!));
  await Promise.all(pollers.map((poller) => poller.stop()));
  expect(pollers.map((poller) => poller.failures)).toEqual([[], [], []]);
  expect(await statusOf(holder, id)).toMatchObject({ status: 'running', pid });
  expect((await http(holder.url).post(`/api/v1/tasks/${id}/kill`)).status).toBe(200);
  expect((await waitForEnd(holder, id)).status).toBe('cancelled');
});

test('who else inherits it would hold the socket open: neither supervisor nor tasks do', async () => {
  const holder = await SocketHolder.create();
  holder.start();
  await holder.ready();
  const id = await submit(holder, command('ls', ['-l', '/proc/self/fd']));
  const { stdout } = await waitForEnd(holder, id);
  expect(stdout).not.toMatch(/socket:\[/);
  const pid = await holder.ready();
  const supervisor = listProcesses().find(
    (p) => p.ppid === pid && p.command.includes('internal-supervisor'),
  )!;
  const passed = openFds(pid).get(3);
  expect(passed).toMatch(/^socket:/);
  expect([...openFds(supervisor.pid).values()]).not.toContain(passed);
  await holder.stop();
  // The daemon is gone and nobody accepts: what connects now waits for the next one.
  const early = connect({ port: Number(new URL(holder.url).port), host: '127.0.0.1' });
  await once(early, 'connect');
  early.write('GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
  let answer = '';
  early.setEncoding('utf8').on('data', (text: string) => (answer += text));
  const closed = once(early, 'close');
  holder.start();
  await holder.ready();
  await closed;
  expect(answer).toMatch(/^HTTP\/1.1 200 /);
});

test('a socket that was passed to another process is not taken for ours', async () => {
  const base = tempDir();
  const child = spawn(
    process.execPath,
    [
      EXECUTABLE,
      'serve',
      '--data-dir',
      join(base, 'data'),
      '--listen-addr',
      '127.0.0.1:0',
      '--disable-cgroup',
    ],
    {
      env: { ...process.env, TMPDIR: base, LISTEN_FDS: '1', LISTEN_PID: '1' },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  await waitFor(() => output.includes('"msg":"listening"'), { timeoutMs: PATIENCE_MS });
  expect(output).toMatch(/"url":"http:\/\/127.0.0.1:\d+"/);
  child.kill('SIGTERM');
  await once(child, 'exit');
  expect(child.exitCode).toBe(0);
});
