import { expect, test } from 'vitest';
import type { TaskView } from '../../src/task/view.js';
import { execgo } from '../cli/execgo.js';
import { command, type Daemon, http, startDaemon, submit, waitFor } from '../harness/index.js';

const MIB = 1024 ** 2;
const sleeping = (task_id: string, more: object = {}) => ({ task_id, ...command('sleep', ['600'], more) });
const status = async (daemon: Daemon, id: string) =>
  (await http(daemon.url).get<TaskView>(`/api/v1/tasks/${id}`)).body;
const time = expect.stringMatching(/Z$/) as string;

test('each task that waits says why, in words and in numbers', async () => {
  const daemon = await startDaemon({
    flags: [
      ...['--max-running-tasks', '3', '--capacity-memory-bytes', String(100 * MIB)],
      ...['--tenant-quota', 'ci=slots:1,memory:52428800'],
    ],
  });
  await submit(daemon, sleeping('holds', { limits: { memory_bytes: 80 * MIB } }));
  await submit(daemon, sleeping('of-ci', { control_context: { tenant: 'ci' } }));
  const wants = { limits: { memory_bytes: 30 * MIB } };
  const ci = { control_context: { tenant: 'ci' } };
  for (const id of ['big', 'big-too']) await submit(daemon, sleeping(id, wants));
  for (const id of ['ci-1', 'ci-2', 'ci-3']) await submit(daemon, sleeping(id, ci));
  await submit(daemon, sleeping('small'));
  await submit(daemon, sleeping('late'));

  const capacity = {
    reason: 'capacity',
    detail: 'needs 30 MiB of memory; 20 MiB of 100 MiB are free',
    lack: {
      ...{ of: 'machine', resource: 'memory_bytes' },
      ...{ requested: 30 * MIB, free: 20 * MIB, limit: 100 * MIB },
    },
    since: time,
  };
  // All slots are taken, too, and that is said first.
  const slots = {
    reason: 'capacity',
    detail: 'needs 1 slot; 0 of 3 are free',
    lack: { of: 'machine', resource: 'task_slots', requested: 1, free: 0, limit: 3 },
    since: time,
  };
  expect((await status(daemon, 'big-too')).waiting).toEqual({ ...slots, position: 2 });
  expect((await status(daemon, 'late')).waiting).toEqual({ ...slots, position: 3 });
  await http(daemon.url).post('/api/v1/tasks/late/kill');
  await http(daemon.url).post('/api/v1/tasks/small/kill?wait_ms=60000');
  expect((await status(daemon, 'big-too')).waiting).toEqual({ ...capacity, position: 2 });
  expect((await status(daemon, 'ci-3')).waiting).toEqual({
    reason: 'quota',
    detail: 'needs 1 slot; 0 of 1 that tenant "ci" may have are free',
    lack: { of: 'tenant', resource: 'task_slots', requested: 1, free: 0, limit: 1 },
    position: 3,
    since: time,
  });

  const { tasks } = (await http(daemon.url).get('/api/v1/tasks?status=accepted&order=oldest')).body;
  expect(tasks.map((t: TaskView) => [t.task_id, t.waiting?.reason, t.waiting?.position])).toEqual([
    ['big', 'capacity', undefined],
    ['big-too', 'capacity', undefined],
    ['ci-1', 'quota', undefined],
    ['ci-2', 'quota', undefined],
    ['ci-3', 'quota', undefined],
  ]);
  expect(await status(daemon, 'holds')).not.toHaveProperty('waiting');

  const explain = async (id: string) =>
    (await execgo(['explain', id], { server: daemon.url })).stdout.toString();
  expect((await explain('big-too')).split('\n').slice(1)).toEqual([
    'needs 30 MiB of memory; 20 MiB of 100 MiB are free',
    '1 task holds the rest: holds (80.0 MiB)',
    'it is number 2 of the waiting tasks without a tenant in queue default',
    '',
  ]);
  expect(await explain('ci-2')).toMatch(
    /^ci-2 has waited for .*: quota\n.*\n1 task holds the rest: of-ci \(1 slot\)\nit is number 2 of the waiting tasks of tenant ci in queue default\n$/,
  );
  expect(await explain('holds')).toMatch(/^task +holds\nstatus +running\n/);
});

test('a task says that its queue or lane is at its bound, or paused', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '9'] });
  const rule = { max_running: 2, lanes: { l: { max_running: 1 } } };
  await http(daemon.url).put('/api/v1/queues/q', rule);
  const at = (lane?: string) => ({ control_context: { queue: 'q', lane } });
  for (const id of ['l1', 'l2']) await submit(daemon, sleeping(id, at('l')));
  const slot = { resource: 'task_slots', requested: 1, free: 0 };
  expect((await status(daemon, 'l2')).waiting).toEqual({
    reason: 'queue_limit',
    detail: 'lane "l" of queue "q" runs as many tasks as it may: 1',
    lack: { of: 'lane', ...slot, limit: 1 },
    ...{ position: 1, since: time },
  });
  await submit(daemon, sleeping('q1', at()));
  await submit(daemon, sleeping('q2', at()));
  const atBound = {
    reason: 'queue_limit',
    detail: 'queue "q" runs as many tasks as it may: 2',
    lack: { of: 'queue', ...slot, limit: 2 },
    ...{ position: 2, since: time },
  };
  expect((await status(daemon, 'q2')).waiting).toEqual(atBound);
  const { stdout } = await execgo(['explain', 'q2'], { server: daemon.url });
  expect(stdout.toString()).toMatch(/^2 tasks hold the rest: l1 \(1 slot\), q1 \(1 slot\)$/m);
  await http(daemon.url).put('/api/v1/queues/q', { ...rule, paused: true });
  expect((await status(daemon, 'q2')).waiting).toEqual({
    ...{ reason: 'queue_paused', detail: 'queue "q" is paused', position: 2, since: time },
  });
  await http(daemon.url).put('/api/v1/queues/q', { max_running: 0 });
  expect((await status(daemon, 'q2')).waiting?.detail).toBe('queue "q" may run no task');
  // A task that is moved to another queue is no longer held up by this one.
  await http(daemon.url).request('PATCH', '/api/v1/tasks/q2', { body: { control_context: { queue: 'r' } } });
  await waitFor(async () => (await status(daemon, 'q2')).status === 'running', { what: 'the start' });
});

test('what waits for a place in which tasks run says so, too', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1'] });
  await submit(daemon, sleeping('first'));
  await submit(daemon, sleeping('second', { control_context: { labels: { a: 'b' } } }));
  const since = (await status(daemon, 'second')).waiting?.since;
  expect(since).toBe((await status(daemon, 'second')).created_at);
  await daemon.restart();
  expect((await status(daemon, 'second')).waiting).toMatchObject({ reason: 'capacity', since });
  await http(daemon.url).post('/api/v1/tasks/first/kill');
  await waitFor(async () => (await status(daemon, 'second')).status === 'running', { what: 'the start' });
  expect(await status(daemon, 'second')).not.toHaveProperty('waiting');
});

test('a tenant may have as many waiting as its bound says, and others have room all the same', async () => {
  const daemon = await startDaemon({
    flags: ['--max-running-tasks', '1', '--max-queued-tasks', '5', '--max-queued-per-tenant', '2'],
  });
  const api = http(daemon.url);
  const of = (tenant: string | undefined) =>
    api.post('/api/v1/tasks', command('sleep', ['600'], { control_context: { tenant } }));
  expect((await of('a')).status).toBe(200);
  for (const tenant of ['a', 'a', 'b', undefined, undefined]) expect((await of(tenant)).status).toBe(200);
  const refused = async (tenant: string | undefined) => {
    const { status: code, body, headers } = await of(tenant);
    expect(headers['retry-after']).toMatch(/^[1-9]\d*$/);
    return [code, body.error];
  };
  const error = (message: string, details: object) => ({ code: 'resource_limit_exceeded', message, details });
  // The bound of all comes first: it is reached.
  const all = error('queue is full', { bound: 'max_queued_tasks', limit: 5 });
  expect(await refused('c')).toEqual([429, all]);
  expect(await refused('a')).toEqual([429, all]);
  const waiting = (await api.get('/api/v1/tasks?status=accepted&tenant=b')).body.tasks[0].task_id;
  await api.post(`/api/v1/tasks/${waiting}/kill`);
  expect(await refused('a')).toEqual([
    429,
    error('queue is full for tenant "a": 2 of its tasks wait, which is the most', {
      ...{ bound: 'max_queued_per_tenant', limit: 2, tenant: 'a' },
    }),
  ]);
  expect(await refused(undefined)).toEqual([
    429,
    error('queue is full for tasks without a tenant: 2 of them wait, which is the most', {
      ...{ bound: 'max_queued_per_tenant', limit: 2 },
    }),
  ]);
  const batch = await api.post('/api/v1/tasks/batch', {
    tasks: ['a', 'b'].map((tenant) => command('true', [], { control_context: { tenant } })),
  });
  expect(batch.body).toMatchObject([
    { error: { details: { bound: 'max_queued_per_tenant' } } },
    { status: 'accepted' },
  ]);
});
