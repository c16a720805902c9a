import { expect, test } from 'vitest';
import type { EventView, TaskView } from '../../src/task/view.js';
import { execgo } from '../cli/execgo.js';
import { withDatabase } from '../faults/support.js';
import {
  command,
  type Daemon,
  http,
  script,
  startDaemon,
  submit,
  submitAndWait,
  waitFor,
} from '../harness/index.js';

const FOUR_GPUS = ['--resource', 'gpu:CUDA_VISIBLE_DEVICES=0,1,2,3'];
const needs = (resources: object, more: object = {}) => ({ limits: { resources }, ...more });
const sleeping = (task_id: string, resources: object, more: object = {}) => ({
  ...command('sleep', ['600'], needs(resources, more)),
  task_id,
});
const status = async (daemon: Daemon, id: string) =>
  (await http(daemon.url).get<TaskView>(`/api/v1/tasks/${id}`)).body;
const running = (daemon: Daemon, id: string) =>
  waitFor(
    async () => {
      const task = await status(daemon, id);
      return task.pid === undefined ? undefined : task;
    },
    { what: `the start of ${id}` },
  );
const kill = (daemon: Daemon, id: string) =>
  http(daemon.url).post<TaskView>(`/api/v1/tasks/${id}/kill?wait_ms=60000`);
const resources = async (daemon: Daemon) => (await http(daemon.url).get('/api/v1/runtime/resources')).body;
const said = 'env | grep -E "^(EXECGO_RESOURCE_|CUDA_)" | sort';

test('a task has items of its own, and is told which', async () => {
  const daemon = await startDaemon({ flags: [...FOUR_GPUS, '--resource', 'some-licence=5'] });
  await submit(daemon, sleeping('holds', { gpu: 1 }));
  const task = await submitAndWait(
    daemon,
    script(said, {
      ...needs({ gpu: 2, 'some-licence': 3 }),
      execution: {
        kind: 'script',
        script: said,
        env: { CUDA_VISIBLE_DEVICES: '0', EXECGO_RESOURCE_GPU: '0' },
      },
    }),
  );
  expect(task.stdout).toBe(
    'CUDA_VISIBLE_DEVICES=1,2\nEXECGO_RESOURCE_GPU=1,2\nEXECGO_RESOURCE_SOME_LICENCE=3\n',
  );
  expect(task).toMatchObject({
    limits: { resources: { gpu: 2, 'some-licence': 3 } },
    reservation: { task_slots: 1, resources: { gpu: 2, 'some-licence': 3 } },
    resource_items: { gpu: ['1', '2'] },
  });
  // One that asks for nothing must not find those of others.
  expect((await submitAndWait(daemon, script(said))).stdout).toBe('CUDA_VISIBLE_DEVICES=\n');

  expect(await status(daemon, 'holds')).toMatchObject({ resource_items: { gpu: ['0'] } });
  const { tasks } = (await http(daemon.url).get('/api/v1/tasks?status=running')).body;
  expect(tasks).toMatchObject([{ task_id: 'holds', resource_items: { gpu: ['0'] } }]);
  const events = await http(daemon.url).get<EventView[]>(`/api/v1/tasks/${task.task_id}/events`);
  expect(events.body.find((e) => e.event_type === 'resource_reserved')).toMatchObject({
    message: 'resources reserved: 1 slot, 2 gpu (1, 2), 3 some-licence',
    data: { task_slots: 1, resources: { gpu: 2, 'some-licence': 3 }, items: { gpu: ['1', '2'] } },
  });

  expect(await resources(daemon)).toMatchObject({
    capacity: { resources: { gpu: 4, 'some-licence': 5 } },
    reserved: { resources: { gpu: 1, 'some-licence': 0 } },
    available: { resources: { gpu: 3, 'some-licence': 5 } },
    active_reservations: [
      { task_id: 'holds', reservation: { resources: { gpu: 1 } }, items: { gpu: ['0'] } },
    ],
  });
  expect((await http(daemon.url).get('/api/v1/runtime/config')).body.resources).toEqual({
    gpu: { amount: 4, items: ['0', '1', '2', '3'], variables: ['CUDA_VISIBLE_DEVICES'] },
    'some-licence': { amount: 5, variables: [] },
  });
  const { text } = await http(daemon.url).get('/metrics');
  expect(text).toContain('execgo_runtime_resource_capacity{resource="gpu"} 4\n');
  expect(text).toContain('execgo_runtime_resource_reserved{resource="gpu"} 1\n');
});

test('what there is not, or not so much of, is refused with what there is', async () => {
  const daemon = await startDaemon({
    flags: [...FOUR_GPUS, '--resource', 'licence=5', '--tenant-quota', 'small=slots:9,gpu:1'],
  });
  const refused = async (limits: unknown, more: object = {}) =>
    (await http(daemon.url).post('/api/v1/tasks', command('true', [], { limits, ...more }))).body.error;
  expect(await refused({ resources: { tpu: 1 } })).toEqual({
    code: 'insufficient_resources',
    message: 'insufficient resources: this machine has no resource "tpu"; it has gpu (4), licence (5)',
    details: { resource: 'resources.tpu', requested: 1, capacity: 0, scope: 'capacity' },
  });
  expect(await refused({ resources: { licence: 6 } })).toMatchObject({
    message: 'insufficient resources: resources.licence 6 is more than the capacity of this machine, 5',
  });
  expect(await refused({ resources: { gpu: 2 } }, { control_context: { tenant: 'small' } })).toMatchObject({
    message: 'insufficient resources: resources.gpu 2 is more than the quota of tenant small, 1',
    details: { resource: 'resources.gpu', requested: 2, capacity: 1, scope: 'quota' },
  });
  for (const [bad, field] of [
    [5, 'limits.resources'],
    [[], 'limits.resources'],
    [{ gpu: 0 }, 'limits.resources.gpu'],
    [{ gpu: -1 }, 'limits.resources.gpu'],
    [{ gpu: 1.5 }, 'limits.resources.gpu'],
    [{ gpu: null }, 'limits.resources.gpu'],
    [{ gpu: '1' }, 'limits.resources.gpu'],
    [{ 'g p u': 1 }, 'limits.resources.g p u'],
    [{ '': 1 }, 'limits.resources'],
    [Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`r${i}`, 1])), 'limits.resources'],
  ] as const)
    expect(await refused({ resources: bad })).toMatchObject({
      code: 'invalid_input',
      message: expect.stringContaining(`invalid input: ${field}`) as string,
    });
  // Neither object nor prototype has any of these.
  expect(await refused({ resources: { constructor: 1 } })).toMatchObject({ code: 'insufficient_resources' });

  const bare = await startDaemon();
  const none = await http(bare.url).post('/api/v1/tasks', command('true', [], needs({ gpu: 1 })));
  expect(none.body.error.message).toBe(
    'insufficient resources: this machine has no resource "gpu"; it has none (serve --resource)',
  );
});

test('a task waits for them, and says so with the numbers; a queue and an edit may name them', async () => {
  const daemon = await startDaemon({ flags: [...FOUR_GPUS, '--tenant-quota', 'small=slots:9,gpu:1'] });
  const small = { control_context: { tenant: 'small' } };
  await submit(daemon, sleeping('three', { gpu: 3 }));
  await submit(daemon, sleeping('of-small', { gpu: 1 }, small));
  await submit(daemon, sleeping('more-of-small', { gpu: 1 }, small));
  await http(daemon.url).put('/api/v1/queues/gpus', { default_limits: { resources: { gpu: 2 } } });
  const inQueue = { control_context: { queue: 'gpus' } };
  await submit(daemon, { ...command('sleep', ['600'], inQueue), task_id: 'by-queue' });
  expect((await status(daemon, 'by-queue')).waiting).toMatchObject({
    reason: 'capacity',
    detail: 'needs 2 gpu; 0 of 4 are free',
    lack: { of: 'machine', resource: 'resources.gpu', requested: 2, free: 0, limit: 4 },
  });
  // Its own take the place of those of the queue.
  const own = { ...command('true', [], { ...inQueue, ...needs({}) }), task_id: 'needs-none' };
  expect(await submitAndWait(daemon, own)).toMatchObject({ reservation: { task_slots: 1 } });
  const explained = async (id: string) =>
    (await execgo(['explain', id], { server: daemon.url })).stdout.toString().split('\n').slice(1, 3);
  expect(await explained('by-queue')).toEqual([
    'needs 2 gpu; 0 of 4 are free',
    '2 tasks hold the rest: three (3 gpu), of-small (1 gpu)',
  ]);
  await kill(daemon, 'three');
  expect(await running(daemon, 'by-queue')).toMatchObject({ resource_items: { gpu: ['0', '1'] } });
  expect((await status(daemon, 'more-of-small')).waiting).toMatchObject({
    reason: 'quota',
    detail: 'needs 1 gpu; 0 of 1 that tenant "small" may have are free',
  });

  const patch = async (id: string, edit: object) =>
    http(daemon.url).request<TaskView>('PATCH', `/api/v1/tasks/${id}`, { body: { limits: edit } });
  await submit(daemon, sleeping('edited', { gpu: 4 }));
  expect((await patch('edited', { resources: { tpu: 1 } })).body).toMatchObject({
    error: { code: 'insufficient_resources' },
  });
  expect((await patch('edited', { resources: { gpu: 2 } })).body.limits.resources).toEqual({ gpu: 2 });
  expect(await status(daemon, 'edited')).toMatchObject({
    status: 'accepted',
    reservation: { task_slots: 1, resources: { gpu: 2 } },
  });
  expect((await patch('edited', { resources: { gpu: 0 } })).status).toBe(400);
  expect((await patch('edited', { resources: { gpu: null } })).body.limits.resources).toEqual({});
  expect(await running(daemon, 'edited')).toMatchObject({ reservation: { task_slots: 1 } });
  expect((await patch('edited', { resources: { gpu: 1 } })).status).toBe(409);
});

test('a daemon that starts again knows which items are taken, also where it has others now', async () => {
  const daemon = await startDaemon({ flags: [...FOUR_GPUS, '--max-running-tasks', '9'] });
  await submit(daemon, sleeping('one', { gpu: 1 }));
  await submit(daemon, sleeping('two', { gpu: 2 }));
  await running(daemon, 'two');
  const items = async (id: string) => (await running(daemon, id)).resource_items?.['gpu'];
  await daemon.kill();
  await daemon.restart();
  await submit(daemon, sleeping('last', { gpu: 1 }));
  expect([await items('one'), await items('two'), await items('last')]).toEqual([['0'], ['1', '2'], ['3']]);

  // Of the four that are held one is left, and one has come.
  await daemon.stop();
  await daemon.restart({ flags: ['--resource', 'gpu=2,new', '--max-running-tasks', '9'] });
  expect(await resources(daemon)).toMatchObject({
    capacity: { resources: { gpu: 2 } },
    reserved: { resources: { gpu: 1 } },
    available: { resources: { gpu: 1 } },
  });
  await submit(daemon, sleeping('gets-new', { gpu: 1 }));
  await submit(daemon, sleeping('waits', { gpu: 1 }));
  expect(await items('gets-new')).toEqual(['new']);
  expect((await status(daemon, 'waits')).waiting?.detail).toBe('needs 1 gpu; 0 of 2 are free');
  await kill(daemon, 'one');
  expect((await status(daemon, 'waits')).status).toBe('accepted');
  await kill(daemon, 'two');
  expect(await items('waits')).toEqual(['2']);
});

test('what is only counted now is held as well, and what can never start ends', async () => {
  const flags = [...FOUR_GPUS, '--max-running-tasks', '9'];
  const daemon = await startDaemon({ flags });
  for (const id of ['a', 'b', 'c']) await submit(daemon, sleeping(id, { gpu: 1 }));
  await running(daemon, 'c');
  await submit(daemon, sleeping('hopeless', { gpu: 2 }));
  await daemon.stop();
  await daemon.restart({ flags: ['--resource', 'gpu=1', '--max-running-tasks', '9'] });
  expect(await status(daemon, 'hopeless')).toMatchObject({
    status: 'failed',
    error: {
      code: 'insufficient_resources',
      message: 'insufficient resources: resources.gpu 2 is more than the capacity of 1 since the last start',
    },
  });
  expect(await resources(daemon)).toMatchObject({
    reserved: { resources: { gpu: 3 } },
    available: { resources: { gpu: 0 } },
  });
  for (const id of ['a', 'b', 'c']) await kill(daemon, id);
  expect(await resources(daemon)).toMatchObject({ reserved: { resources: { gpu: 0 } } });
});

test('where nobody can read which items a task has, none is given to another before it has ended', async () => {
  const daemon = await startDaemon({ flags: [...FOUR_GPUS, '--resource', 'licence=1'] });
  await submit(daemon, sleeping('odd', { gpu: 1 }));
  await running(daemon, 'odd');
  await daemon.stop();
  withDatabase(daemon.dataDir, (db) => {
    db.prepare(`UPDATE tasks SET items_json = '{"gpu":[5]}'`).run();
    expect(() => db.prepare(`UPDATE tasks SET items_json = '[]'`).run()).toThrow('CHECK');
  });
  await daemon.restart();
  const odd = await status(daemon, 'odd');
  expect(odd).not.toHaveProperty('resource_items');
  expect(odd.warnings).toEqual(['resource_items cannot be read in the database']);
  await submit(daemon, sleeping('waits', { gpu: 1 }));
  await submit(daemon, sleeping('other', { licence: 1 }));
  await running(daemon, 'other');
  expect((await status(daemon, 'waits')).waiting?.detail).toBe('needs 1 gpu; 0 of 4 are free');
  await kill(daemon, 'odd');
  expect((await running(daemon, 'waits')).resource_items).toEqual({ gpu: ['0'] });
});

test('the command line asks for them, shows them, and names its own flags', async () => {
  const daemon = await startDaemon({ flags: [...FOUR_GPUS, '--resource', 'licence=5'] });
  const run = (...args: string[]) => execgo(args, { server: daemon.url });
  const { stdout } = await run('run', '--resource', 'gpu=2', '--resource', 'licence', '--', 'sh', '-c', said);
  expect(stdout.toString()).toBe(
    'CUDA_VISIBLE_DEVICES=0,1\nEXECGO_RESOURCE_GPU=0,1\nEXECGO_RESOURCE_LICENCE=1\n',
  );
  const refusals: [string, string][] = [
    ['gpu=5', '--resource gpu=5 is more than the capacity of this machine, 4'],
    ['tpu', 'this machine has no resource "tpu"; it has gpu (4), licence (5)'],
    ['gpu=0', 'asks for nothing'],
    ['gpu=x', 'is not a whole number'],
    ['=1', 'has no name'],
    ['g p u', '--resource g p u: must begin with a letter'],
  ];
  for (const [resource, words] of refusals)
    expect((await run('submit', '--resource', resource, '--', 'true')).stderr).toContain(words);
  await run('queue', 'set', 'q', '--resource', 'gpu=1', '--memory', '1G');
  await run('queue', 'set', 'q', '--resource', 'licence=2');
  expect((await http(daemon.url).get('/api/v1/queues/q')).body.rule.default_limits).toEqual({
    memory_bytes: 1024 ** 3,
    resources: { gpu: 1, licence: 2 },
  });
  await submit(daemon, sleeping('holds', { gpu: 4 }));
  await running(daemon, 'holds');
  await run('submit', '--id', 'waits', '--resource', 'gpu=4', '--', 'true');
  await run('edit', 'waits', '--resource', 'gpu=3');
  expect(await status(daemon, 'waits')).toMatchObject({ limits: { resources: { gpu: 3 } } });
  expect((await run('explain', 'holds')).stdout.toString()).toMatch(
    /^limits +wall time 5m0s, 4 gpu$\n^resources gpu 0, 1, 2, 3$/m,
  );
});
