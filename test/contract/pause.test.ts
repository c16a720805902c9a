import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { removeCgroup } from '../harness/cgroups.js';
import type { TaskView } from '../../src/task/view.js';
import {
  cgroupName,
  command,
  type Daemon,
  eventTypes,
  execgo,
  http,
  processesOf,
  script,
  startDaemon,
  submit,
  submitAndWait,
  waitFor,
  waitForEnd,
} from '../harness/index.js';

const turn = (daemon: { url: string }, id: string, what: 'pause' | 'resume' | 'kill', query = '') =>
  http(daemon.url).post(`/api/v1/tasks/${id}/${what}${query}`);

async function statusOf(daemon: { url: string }, id: string): Promise<TaskView> {
  return (await http(daemon.url).get(`/api/v1/tasks/${id}`)).body as TaskView;
}

const bytes = async (daemon: { url: string }, id: string) => (await statusOf(daemon, id)).stdout_bytes;

/** Counts until `done` is in the directory of the task's workspace. */
const counting = (more: object = {}) =>
  script('while ! [ -e done ]; do echo on; sleep 0.02; done; echo done', more);
/** Several processes that come and go, with one beside the process group and one whose parent has gone. */
const FAMILY = `
setsid sh -c 'while :; do echo a; sleep 0.01; done' &
(while :; do (sleep 0.01; echo b); done &)
while :; do (echo c; true) | cat; done`;

/** Waits until the task has printed something, and more after that. */
async function getsOn(daemon: Daemon, id: string): Promise<void> {
  const before = await bytes(daemon, id);
  await waitFor(async () => (await bytes(daemon, id)) > before, { what: 'more output' });
}

/** Sees that a task prints nothing while another one goes on, once what was in its pipe before is read. */
async function expectStill(daemon: Daemon, id: string, clock: string): Promise<void> {
  await getsOn(daemon, clock);
  const before = await bytes(daemon, id);
  for (let i = 0; i < 5; i++) await getsOn(daemon, clock);
  expect(await bytes(daemon, id)).toBe(before);
}

/** A cgroup root of version 1 that only has a freezer; called before the daemon starts, it goes after its end. */
function freezerRoot(): string[] {
  const root = `/sys/fs/cgroup/freezer/${cgroupName()}`;
  onTestFinished(() => removeCgroup(root));
  return ['--cgroup-root', root];
}

const WAYS: [way: string, flags: () => string[]][] = [
  ['by the freezer of the unified hierarchy', () => []],
  ['by the freezer of version 1', freezerRoot],
  ['by signals', () => ['--disable-cgroup']],
];

test.each(WAYS)('%s: a task stands still with all its processes, and goes on', async (way, flags) => {
  const daemon = await startDaemon({ flags: flags() });
  const { cgroup_freezer } = (await http(daemon.url).get('/api/v1/runtime/capabilities')).body.resources;
  expect(cgroup_freezer).toBe(way !== 'by signals');
  const [id, family, clock] = await Promise.all(
    [counting(), script(FAMILY), counting()].map((task) => submit(daemon, task)),
  );
  for (const each of [id, family, clock]) await getsOn(daemon, each!);
  for (const each of [id!, family!]) {
    const answer = await turn(daemon, each, 'pause');
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ task_id: each, status: 'running', paused: true });
    expect(Date.parse(answer.body.paused_at as string)).toBeGreaterThan(0);
    await expectStill(daemon, each, clock!);
    // Once more changes nothing.
    expect((await turn(daemon, each, 'pause')).body).toMatchObject({ paused_at: answer.body.paused_at });
  }
  for (const each of [id!, family!]) {
    const resumed = await turn(daemon, each, 'resume');
    expect([resumed.status, resumed.body.paused, resumed.body.paused_at]).toEqual([
      200,
      undefined,
      undefined,
    ]);
    await getsOn(daemon, each);
    expect((await turn(daemon, each, 'resume')).status).toBe(200);
    await turn(daemon, each, 'pause');
    const killed = await turn(daemon, each, 'kill', '?wait_ms=30000');
    expect(killed.body).toMatchObject({ status: 'cancelled', cause: 'cancelled', exit_signal: 15 });
    expect(killed.body.paused).toBeUndefined();
    expect(processesOf(each)).toEqual([]);
    const types = (await eventTypes(daemon, each)).slice((await eventTypes(daemon, each)).indexOf('started'));
    expect(types).toEqual([
      ...['started', 'paused', 'resumed', 'paused', 'kill_requested', 'resource_released', 'cancelled'],
    ]);
  }
});

test.each(WAYS)(
  '%s: a paused task can handle the signal of a kill, and is killed after the grace',
  async (_, flags) => {
    const daemon = await startDaemon({ flags: [...flags(), '--termination-grace-ms', '45000'] });
    const [handles, resists] = await Promise.all(
      [
        "trap 'echo handled; exit 3' TERM; while :; do echo on; sleep 0.02; done",
        "trap '' TERM; while :; do echo on; sleep 0.02; done",
      ].map((text) => submit(daemon, script(text))),
    );
    for (const id of [handles!, resists!]) {
      await getsOn(daemon, id);
      expect((await turn(daemon, id, 'pause')).body.paused).toBe(true);
    }
    const end = (await turn(daemon, handles!, 'kill', '?wait_ms=30000')).body;
    expect(end).toMatchObject({ status: 'cancelled', exit_code: 3 });
    expect(end.stdout).toMatch(/handled\n$/);
    const killed = (await turn(daemon, resists!, 'kill', '?grace_ms=100&wait_ms=30000')).body;
    expect(killed).toMatchObject({ status: 'cancelled', exit_signal: 9 });
  },
);

test.each(WAYS)('%s: the wall time stands still, and the duration does not', async (_, flags) => {
  const daemon = await startDaemon({ flags: flags() });
  const WALL_TIME_MS = 1500;
  const id = await submit(
    daemon,
    script('echo up; while ! [ -e go ]; do sleep 0.02; done; echo down', {
      limits: { wall_time_ms: WALL_TIME_MS },
    }),
  );
  await waitFor(async () => (await statusOf(daemon, id)).stdout === 'up\n');
  expect((await turn(daemon, id, 'pause')).status).toBe(200);
  const from = performance.now();
  await waitFor(() => performance.now() - from > WALL_TIME_MS + 100);
  const still = await statusOf(daemon, id);
  expect(still).toMatchObject({ status: 'running', paused: true });
  mkdirSync(join(still.artifacts.task_dir, 'workspace/go'));
  await turn(daemon, id, 'resume');
  const end = await waitForEnd(daemon, id);
  expect(end).toMatchObject({ status: 'success', stdout: 'up\ndown\n' });
  expect(end.duration_ms).toBeGreaterThan(WALL_TIME_MS);
  const late = await submit(
    daemon,
    script('echo up; exec sleep 600', { limits: { wall_time_ms: WALL_TIME_MS } }),
  );
  await waitFor(async () => (await statusOf(daemon, late)).stdout === 'up\n');
  await turn(daemon, late, 'pause');
  await turn(daemon, late, 'resume');
  expect(await waitForEnd(daemon, late)).toMatchObject({ status: 'failed', cause: 'timeout' });
});

test('what cannot be paused is refused, and says why', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '2'] });
  const api = http(daemon.url);
  const owned = await submit(daemon, counting({ control_context: { owner: 'alice' } }));
  await getsOn(daemon, owned);
  const dying = await submit(daemon, script("trap '' TERM; while :; do echo on; sleep 0.02; done"));
  await getsOn(daemon, dying);
  const waits = await submit(daemon, command('true'));
  await turn(daemon, dying, 'kill', '?grace_ms=60000');
  for (const what of ['pause', 'resume'] as const) {
    const done = what === 'pause' ? 'paused' : 'resumed';
    const waiting = await turn(daemon, waits, what);
    expect([waiting.status, waiting.body.error]).toEqual([
      409,
      { code: 'conflict', message: `task ${waits} waits: only a running task can be ${done}` },
    ]);
    for (const headers of [{}, { 'x-execgo-owner': 'bob' }]) {
      const refused = await api.post(
        `/api/v1/tasks/${owned}/${what}`,
        undefined,
        headers as Record<string, string>,
      );
      expect([refused.status, refused.body.error.code]).toEqual([403, 'permission_denied']);
    }
    expect((await turn(daemon, 'nobody', what)).status).toBe(404);
    expect(
      (await api.post(`/api/v1/tasks/${owned}/${what}`, undefined, { 'x-execgo-owner': 'alice' })).status,
    ).toBe(200);
  }
  const ending = await turn(daemon, dying, 'pause');
  expect([ending.status, ending.body.error.message]).toEqual([
    409,
    `task ${dying} is being ended: it cannot be paused`,
  ]);
  // It goes on already.
  expect((await turn(daemon, dying, 'resume')).status).toBe(200);
  await turn(daemon, dying, 'kill', '?grace_ms=0&wait_ms=30000');
  await waitForEnd(daemon, waits);
  for (const what of ['pause', 'resume'] as const) {
    const over = await turn(daemon, waits, what);
    expect([over.status, over.body.error.message]).toEqual([
      409,
      `task ${waits} has ended (success): only a running task can be ${what === 'pause' ? 'paused' : 'resumed'}`,
    ]);
  }
});

test('a paused task keeps its share, is counted, and is told by list, status and the command line', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1'] });
  const api = http(daemon.url);
  const id = await submit(daemon, counting());
  await getsOn(daemon, id);
  const next = await submit(daemon, command('true'));
  const env = { EXECGO_RUNTIME_URL: daemon.url };
  const paused = await execgo(['pause', id], { env });
  expect([paused.code, JSON.parse(paused.stdout)]).toMatchObject([0, { task_id: id, paused: true }]);
  const { tasks } = (await api.get('/api/v1/tasks?status=running')).body;
  expect(tasks).toMatchObject([
    { task_id: id, paused: true, paused_at: JSON.parse(paused.stdout).paused_at },
  ]);
  expect((await api.get('/metrics')).text).toMatch(/^execgo_runtime_tasks_paused 1$/m);
  expect((await api.get('/api/v1/runtime/resources')).body).toMatchObject({
    reserved: { task_slots: 1 },
    accepted_waiting_tasks: 1,
  });
  const resumed = await execgo(['resume', id], { env });
  expect([resumed.code, JSON.parse(resumed.stdout).paused]).toEqual([0, undefined]);
  expect((await api.get('/metrics')).text).toMatch(/^execgo_runtime_tasks_paused 0$/m);
  await turn(daemon, id, 'kill');
  expect(await waitForEnd(daemon, next)).toMatchObject({ status: 'success' });
  const over = await execgo(['pause', id, 'nobody'], { env });
  expect([over.code, over.stdout]).toEqual([1, '']);
  expect(over.stderr).toContain(`task ${id} has ended (cancelled): only a running task can be paused`);
  expect(over.stderr).toContain('task not found: nobody');
});

test('pauses and resumes at once leave a task as the last one says', async () => {
  const daemon = await startDaemon();
  const [id, clock] = [await submit(daemon, counting()), await submit(daemon, counting())];
  for (const each of [id, clock]) await getsOn(daemon, each);
  await Promise.all(Array.from({ length: 20 }, (_, i) => turn(daemon, id, i % 2 === 0 ? 'pause' : 'resume')));
  const { paused } = await statusOf(daemon, id);
  if (paused === true) await expectStill(daemon, id, clock);
  else await getsOn(daemon, id);
  const types = (await eventTypes(daemon, id)).filter((type) => type === 'paused' || type === 'resumed');
  expect(types).toEqual(types.map((_, i) => (i % 2 === 0 ? 'paused' : 'resumed')));
  await turn(daemon, id, 'resume');
  await getsOn(daemon, id);
});

test('a task that ends while it is paused, because somebody kills it, has its true end', async () => {
  const daemon = await startDaemon();
  const id = await submit(daemon, counting());
  await getsOn(daemon, id);
  await turn(daemon, id, 'pause');
  const { pid } = await statusOf(daemon, id);
  process.kill(pid!, 'SIGKILL');
  const end = await waitForEnd(daemon, id);
  expect(end).toMatchObject({ status: 'failed', cause: 'signal', exit_signal: 9 });
  expect(end.paused).toBeUndefined();
  expect(await submitAndWait(daemon, command('true'))).toMatchObject({ status: 'success' });
});
