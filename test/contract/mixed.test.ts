import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { TaskView } from '../../src/task/view.js';
import {
  command,
  http,
  listProcesses,
  openFds,
  script,
  startDaemon,
  submit,
  TASKS_HAVE_NODE,
  waitFor,
  waitForEnd,
} from '../harness/index.js';

type Expected = Partial<TaskView>;
interface Kind {
  request: object;
  expected: Expected;
  /** Killed as soon as it is submitted, or once it runs. */
  kill?: 'waiting' | 'running';
}

const MEGABYTE = 1_048_576;
const failed = (cause: string, code: string, more: object = {}): Expected =>
  ({ status: 'failed', cause, error: expect.objectContaining({ code }) as unknown, ...more }) as Expected;

const KINDS: Kind[] = [
  { request: command('true'), expected: { status: 'success', cause: 'exit', exit_code: 0, stdout_bytes: 0 } },
  {
    request: command('echo', ['hello']),
    expected: { status: 'success', stdout: 'hello\n', stdout_bytes: 6 },
  },
  { request: script('exit 7'), expected: failed('exit', 'exit_nonzero', { exit_code: 7 }) },
  { request: script('kill -KILL $$'), expected: failed('signal', 'signal', { exit_signal: 9 }) },
  { request: script('kill -TERM $$'), expected: failed('signal', 'signal', { exit_signal: 15 }) },
  { request: command('/no/such/program'), expected: failed('launch', 'launch_failed', { duration_ms: 0 }) },
  {
    request: command('sleep', ['60'], { limits: { wall_time_ms: 150 } }),
    expected: failed('timeout', 'timeout', { exit_signal: 15 }),
  },
  {
    request: script(`head -c ${MEGABYTE} /dev/zero; head -c ${MEGABYTE} /dev/zero >&2`, {
      limits: { stdout_keep_bytes: 1000 },
    }),
    expected: {
      status: 'success',
      stdout_bytes: MEGABYTE,
      stderr_bytes: MEGABYTE,
      stdout_truncated: true,
      stderr_truncated: false,
    },
  },
  {
    request: {
      execution: { kind: 'script', interpreter: ['python3'], script: 'import sys; print("py"); sys.exit(5)' },
    },
    expected: failed('exit', 'exit_nonzero', { exit_code: 5, stdout: 'py\n' }),
  },
  {
    request: {
      execution: TASKS_HAVE_NODE
        ? { kind: 'script', interpreter: ['node'], script: 'console.error("js"); process.exit(6)' }
        : { kind: 'script', script: 'echo js >&2; exit 6' },
    },
    expected: failed('exit', 'exit_nonzero', { exit_code: 6, stderr: 'js\n' }),
  },
  {
    request: command('sleep', ['60']),
    kill: 'waiting',
    expected: { status: 'cancelled', cause: 'cancelled', kill_requested: true },
  },
  {
    request: command('sleep', ['60']),
    kill: 'running',
    expected: { status: 'cancelled', cause: 'cancelled', exit_signal: 15, kill_requested: true },
  },
];
const COUNT = 500;

test(
  `${COUNT} mixed tasks at 8 slots: every end is right, and nothing is left`,
  { timeout: 300_000 },
  async () => {
    const daemon = await startDaemon({ flags: ['--max-running-tasks', '8', '--max-queued-tasks', '1000'] });
    const api = http(daemon.url);
    await waitForEnd(daemon, await submit(daemon, command('true')));
    const before = { daemon: openFds(daemon.pid).size, supervisor: openFds(daemon.supervisorPid()).size };
    const runOne = async (index: number) => {
      const kind = KINDS[index % KINDS.length]!;
      const id = await submit(daemon, kind.request);
      if (kind.kill === 'running')
        await waitFor(async () => (await api.get(`/api/v1/tasks/${id}`)).body.pid !== undefined, {
          what: 'the start',
          timeoutMs: 200_000,
        });
      if (kind.kill !== undefined) await api.post(`/api/v1/tasks/${id}/kill`);
      const end = await waitForEnd(daemon, id, 200_000);
      expect(end).toMatchObject(kind.expected);
      expect(statSync(end.artifacts.result_path).isFile()).toBe(true);
      return id;
    };
    const ids: string[] = [];
    let next = 0;
    await Promise.all(
      Array.from({ length: 40 }, async () => {
        while (next < COUNT) ids.push(await runOne(next++));
      }),
    );
    expect(new Set(ids).size).toBe(COUNT);

    const resources = (await api.get('/api/v1/runtime/resources')).body;
    expect(resources).toMatchObject({
      reserved: { task_slots: 0 },
      active_reservations: [],
      accepted_waiting_tasks: 0,
    });
    const supervisor = daemon.supervisorPid();
    expect(listProcesses().filter((p) => p.ppid === supervisor)).toEqual([]);
    expect(zombiesOf(supervisor)).toEqual([]);
    expect(cgroupsOf(daemon.cgroup)).toEqual([]);
    await waitFor(() => openFds(supervisor).size <= before.supervisor, {
      what: 'the supervisor’s descriptors',
    });
    // The worker threads that were started meanwhile have a handful of descriptors each; more would be a leak.
    await waitFor(() => openFds(daemon.pid).size <= before.daemon + 20, { what: 'the daemon’s descriptors' });
    const metrics = (await api.get('/metrics')).text;
    expect(metrics).toMatch(new RegExp(`execgo_runtime_tasks_total\\{status="accepted"\\} ${COUNT + 1}\\b`));
  },
);

/** Children that have ended and were not waited for. */
function zombiesOf(parent: number): string[] {
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').split(' ').filter(Boolean);
  return children.filter((pid) => readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z '));
}

/** Directories of launches: below the daemon's own, which is below the root it was given. */
function cgroupsOf(root: string): string[] {
  const directories = (path: string) =>
    existsSync(path)
      ? readdirSync(path, { withFileTypes: true }).flatMap((e) =>
          e.isDirectory() ? [`${path}/${e.name}`] : [],
        )
      : [];
  return ['unified', 'memory', 'pids', 'cpu'].flatMap((tree) =>
    directories(`/sys/fs/cgroup/${tree}/${root}`).flatMap(directories),
  );
}
