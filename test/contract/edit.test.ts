import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { TaskView } from '../../src/task/view.js';
import {
  command,
  type Daemon,
  eventTypes,
  http,
  startDaemon,
  submit,
  waitFor,
  waitForEnd,
} from '../harness/index.js';

const FLAGS = ['--max-running-tasks', '1', '--capacity-memory-bytes', '1000000'];

/** A daemon whose only slot is taken by the task `busy`. */
async function busyDaemon(flags: string[] = []): Promise<Daemon> {
  const daemon = await startDaemon({ flags: [...FLAGS, ...flags] });
  await submit(daemon, { task_id: 'busy', ...command('sleep', ['600']) });
  return daemon;
}

const patch = (daemon: Daemon, id: string, body: unknown, headers: Record<string, string> = {}) =>
  http(daemon.url).request<TaskView & { error: { code: string; message: string; details: unknown } }>(
    'PATCH',
    `/api/v1/tasks/${id}`,
    { body, headers },
  );
const status = async (daemon: Daemon, id: string) =>
  (await http(daemon.url).get<TaskView>(`/api/v1/tasks/${id}`)).body;
const free = (daemon: Daemon) => http(daemon.url).post('/api/v1/tasks/busy/kill?wait_ms=60000');

test('what is changed holds at once: order, share, labels, and after a restart', async () => {
  const daemon = await busyDaemon();
  const before = {
    limits: { memory_bytes: 300_000, wall_time_ms: 60_000 },
    control_context: { queue: 'old', lane: 'l', labels: { a: '1', b: '2' } },
    metadata: { note: 'first' },
  };
  for (const task_id of ['one', 'two']) await submit(daemon, { task_id, ...command('true', [], before) });
  await submit(daemon, { task_id: 'three', ...command('true', [], { control_context: { queue: 'new' } }) });
  const { version } = await status(daemon, 'two');
  const answer = await patch(daemon, 'two', {
    if_version: version,
    limits: { memory_bytes: 200_000 },
    policy: { priority: 3 },
    control_context: { queue: 'new', labels: { a: null, c: '3' } },
    metadata: { note: 'second', more: 'x' },
  });
  expect(answer.status).toBe(200);
  expect(answer.body).toMatchObject({
    ...{ status: 'accepted', priority: 3, queue: 'new', lane: 'l', labels: { b: '2', c: '3' } },
    metadata: { note: 'second', more: 'x' },
    limits: { memory_bytes: 200_000, wall_time_ms: 60_000 },
    reservation: { task_slots: 1, memory_bytes: 200_000 },
    execution_plan: { resource_enforcement: { memory_bytes: 200_000 } },
  });
  expect(answer.body.version).toBeGreaterThan(version);
  expect(await eventTypes(daemon, 'two')).toEqual([
    ...['submitted', 'accepted', 'planned'],
    ...((await eventTypes(daemon, 'two')).includes('degraded') ? ['degraded'] : []),
    ...['edited', 'planned'],
    ...((await eventTypes(daemon, 'two')).includes('degraded') ? ['degraded'] : []),
  ]);
  const api = http(daemon.url);
  const edited = (await api.get('/api/v1/tasks/two/events')).body.find(
    (e: { event_type: string }) => e.event_type === 'edited',
  );
  expect(edited).toMatchObject({
    type: 'task_progressed',
    message:
      'task changed while it waits: limits.memory_bytes, policy.priority, control_context.queue, control_context.labels, metadata',
  });
  const listed = async (query: string) =>
    (await api.get(`/api/v1/tasks?${query}`)).body.tasks.map((t: { task_id: string }) => t.task_id);
  expect([await listed('queue=new'), await listed('queue=old'), await listed('label=c=3')]).toEqual([
    ['three', 'two'],
    ['one'],
    ['two'],
  ]);
  // What was asked for is now that.
  expect((await api.get('/api/v1/tasks/two/request')).body).toMatchObject({
    limits: { memory_bytes: 200_000, wall_time_ms: 60_000 },
    control_context: { queue: 'new', lane: 'l', labels: { b: '2', c: '3' } },
  });

  await daemon.restart();
  expect(await status(daemon, 'two')).toMatchObject({ priority: 3, version: answer.body.version });
  await free(daemon);
  const [three, two] = await Promise.all([waitForEnd(daemon, 'three'), waitForEnd(daemon, 'two')]);
  expect(Date.parse(two.started_at!)).toBeLessThanOrEqual(Date.parse(three.started_at!));
  const request = JSON.parse(readFileSync(two.artifacts.request_path, 'utf8'));
  expect(request).toMatchObject({ task_id: 'two', policy: { priority: 3 }, metadata: { note: 'second' } });
});

test('null takes back what holds without it, and the same change again changes nothing', async () => {
  const daemon = await busyDaemon();
  await submit(daemon, {
    task_id: 't',
    ...command('true', [], {
      limits: { memory_bytes: 300_000, wall_time_ms: 1000 },
      policy: { priority: 4 },
    }),
  });
  const body = { limits: { memory_bytes: null, wall_time_ms: null }, policy: { priority: null } };
  const first = (await patch(daemon, 't', body)).body;
  expect(first).toMatchObject({
    priority: 0,
    limits: { wall_time_ms: 300_000 },
    reservation: { task_slots: 1 },
  });
  expect(first.limits).not.toHaveProperty('memory_bytes');
  expect(first.reservation).not.toHaveProperty('memory_bytes');
  const again = (await patch(daemon, 't', body)).body;
  expect([again.version, again.updated_at]).toEqual([first.version, first.updated_at]);
});

test('a refused change changes nothing', async () => {
  const daemon = await busyDaemon(['--tenant-quota', 'small=slots:1,memory:1000']);
  const owned = { control_context: { owner: 'me', tenant: 'small' }, limits: { memory_bytes: 1000 } };
  await submit(daemon, { task_id: 't', ...command('true', [], owned) });
  const before = await status(daemon, 't');
  const me = { 'x-execgo-owner': 'me' };
  const refusals: [body: unknown, headers: Record<string, string>, status: number, code: string][] = [
    [{ policy: { priority: 1 } }, {}, 403, 'permission_denied'],
    [{ policy: { priority: 1 } }, { 'x-execgo-owner': 'you' }, 403, 'permission_denied'],
    [{ policy: { priority: 'high' } }, me, 400, 'invalid_input'],
    [{ control_context: { tenant: 'big' } }, me, 400, 'invalid_input'],
    [{ execution: { kind: 'command', program: 'x' } }, me, 400, 'invalid_input'],
    [{ limits: { memory_bytes: 2_000_000 } }, me, 400, 'insufficient_resources'],
    [{ limits: { memory_bytes: 2000 } }, me, 400, 'insufficient_resources'],
    [{ policy: { demands: { profile: 'none' } } }, me, 400, 'unsupported_capability'],
    [{ if_version: before.version + 1, policy: { priority: 1 } }, me, 409, 'conflict'],
    ['{', me, 400, 'invalid_input'],
    [{ policy: { priority: 1 } }, { ...me, 'content-type': 'text/plain' }, 415, 'unsupported_media_type'],
  ];
  for (const [body, headers, code, word] of refusals) {
    const answer = await patch(daemon, 't', body, headers);
    expect([answer.status, answer.body.error.code], JSON.stringify(body)).toEqual([code, word]);
  }
  expect(await status(daemon, 't')).toEqual({ ...before });
  expect((await patch(daemon, 'nobody', { policy: { priority: 1 } })).status).toBe(404);
  const late = await patch(daemon, 't', { if_version: 0, policy: { priority: 1 } }, me);
  expect(late.body.error).toMatchObject({ code: 'conflict', details: { version: before.version } });
});

test('the rules of its new queue hold: how many may wait there, and what limits it gives', async () => {
  const daemon = await busyDaemon();
  const api = http(daemon.url);
  await api.put('/api/v1/queues/narrow', { max_waiting: 1, default_limits: { memory_bytes: 5000 } });
  for (const task_id of ['a', 'b'])
    await submit(daemon, { task_id, ...command('true', [], { limits: { memory_bytes: 9000 } }) });
  const move = (id: string) => patch(daemon, id, { control_context: { queue: 'narrow' } });
  const [first, second] = await Promise.all([move('a'), move('b')]);
  expect([first.status, second.status].sort()).toEqual([200, 429]);
  const [moved, refused] = first.status === 200 ? [first, second] : [second, first];
  expect(refused.body.error).toMatchObject({
    code: 'resource_limit_exceeded',
    details: { bound: 'max_waiting', queue: 'narrow', limit: 1 },
  });
  // What it has said stays said until it is taken back; other changes are free.
  expect(moved.body.limits).toMatchObject({ memory_bytes: 9000 });
  const taken = await patch(daemon, moved.body.task_id, {
    limits: { memory_bytes: null },
    policy: { priority: 1 },
  });
  expect(taken.body).toMatchObject({ priority: 1, limits: { memory_bytes: 5000 } });
  expect((await api.get('/api/v1/queues/narrow')).body.counts).toMatchObject({ accepted: 1, running: 0 });
  expect((await api.get('/api/v1/queues/default')).body.counts).toMatchObject({ accepted: 1, running: 1 });
});

test('what does not wait is not changed', async () => {
  const daemon = await busyDaemon();
  await waitFor(async () => (await status(daemon, 'busy')).pid !== undefined, { what: 'the start' });
  const running = await patch(daemon, 'busy', { policy: { priority: 1 } });
  expect([running.status, running.body.error]).toMatchObject([
    409,
    { code: 'conflict', message: expect.stringContaining('is running'), details: { status: 'running' } },
  ]);
  const { version } = await status(daemon, 'busy');
  expect(running.body.error.details).toEqual({ status: 'running', version });
  await free(daemon);
  const ended = await patch(daemon, 'busy', { policy: { priority: 1 } });
  expect([ended.status, ended.body.error.message]).toEqual([
    409,
    'task busy is cancelled: only one that waits can be changed',
  ]);
});

test('edits add up to no more than a submit may hold', async () => {
  const daemon = await busyDaemon();
  await submit(daemon, { task_id: 't', ...command('true') });
  const half = 'x'.repeat(1_200_000);
  expect((await patch(daemon, 't', { metadata: { a: half } })).status).toBe(200);
  const second = await patch(daemon, 't', { metadata: { b: half } });
  expect([second.status, second.body.error.code]).toEqual([413, 'payload_too_large']);
  expect((await patch(daemon, 't', { metadata: { a: null, b: half } })).status).toBe(200);
});

test('versions grow with every change of any task, and each task has its own', async () => {
  const daemon = await startDaemon({ flags: FLAGS });
  const ids = ['a', 'b'];
  for (const task_id of ids) await submit(daemon, { task_id, ...command('true') });
  const ends = await Promise.all(ids.map((id) => waitForEnd(daemon, id)));
  const listed = (await http(daemon.url).get('/api/v1/tasks?order=oldest')).body.tasks;
  expect(listed.map(({ version }: TaskView) => version)).toEqual(ends.map(({ version }) => version));
  expect(new Set(ends.map(({ version }) => version)).size).toBe(2);
  for (const { version, artifacts } of ends) {
    expect(version).toBeGreaterThan(1);
    expect(JSON.parse(readFileSync(artifacts.result_path, 'utf8'))).toMatchObject({ version });
  }
  const last = Math.max(...ends.map(({ version }) => version));
  await daemon.restart();
  await submit(daemon, { task_id: 'c', ...command('true') });
  expect((await waitForEnd(daemon, 'c')).version).toBeGreaterThan(last);
});
