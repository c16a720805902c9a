import { expect, test } from 'vitest';
import type { TaskPage, TaskView } from '../../src/task/view.js';
import {
  command,
  type Daemon,
  execgo,
  http,
  isAlive,
  startDaemon,
  submit,
  submitAndWait,
  waitFor,
  waitForEnd,
} from '../harness/index.js';

const below = (parent: string, more: object = {}) => ({
  control_context: { parent_task_id: parent, ...more },
});
const sleeper = (more: object = {}) => command('sleep', ['600'], more);
const statusOf = async (daemon: Daemon, id: string, query = '') =>
  (await http(daemon.url).get<TaskView>(`/api/v1/tasks/${id}${query}`)).body;

/** A task that waits for ever, so that it needs no slot. */
async function parked(daemon: Daemon, more: { control_context?: object } = {}): Promise<string> {
  await http(daemon.url).put('/api/v1/queues/parked', { paused: true });
  return submit(
    daemon,
    command('true', [], { control_context: { ...more.control_context, queue: 'parked' } }),
  );
}

test('a tree shows what is below a task, and a list its children', async () => {
  const daemon = await startDaemon();
  const root = (await submitAndWait(daemon, command('true'))).task_id;
  const first = (await submitAndWait(daemon, command('true', [], below(root)))).task_id;
  const second = await parked(daemon, below(root));
  const deep = (await submitAndWait(daemon, command('false', [], below(first)))).task_id;
  expect((await statusOf(daemon, deep)).parent_task_id).toBe(first);
  const view = await statusOf(daemon, root, '?tree=true');
  expect(view).toMatchObject({
    task_id: root,
    children: [
      { task_id: first, status: 'success', children: [{ task_id: deep, status: 'failed' }] },
      { task_id: second, status: 'accepted', waiting: { reason: 'queue_paused' } },
    ],
  });
  expect(view).not.toHaveProperty('more_children');
  expect(view.children![1]).not.toHaveProperty('children');
  expect(await statusOf(daemon, root)).not.toHaveProperty('children');
  expect(await statusOf(daemon, deep, '?tree=true')).not.toHaveProperty('children');
  const list = async (query: string) =>
    (await http(daemon.url).get<TaskPage>(`/api/v1/tasks?${query}`)).body.tasks.map(({ task_id }) => task_id);
  expect(await list(`parent=${root}`)).toEqual([second, first]);
  expect(await list(`parent=${root}&order=oldest&status=success`)).toEqual([first]);
  expect(await list('parent=nobody')).toEqual([]);
  const shown = await execgo(['status', '--tree', root], { daemon });
  expect(JSON.parse(shown.stdout)).toMatchObject({ children: [{ task_id: first }, { task_id: second }] });
  const bad = await http(daemon.url).get(`/api/v1/tasks/${root}?tree=yes`);
  expect(bad.body.error.message).toBe('invalid input: tree: must be given once, as true or false');
});

test('of a large tree the nearest are shown, and that there are more', async () => {
  const daemon = await startDaemon();
  const root = await parked(daemon);
  const tasks = Array.from({ length: 1000 }, (_, i) =>
    command('true', [], { task_id: `c${i}`, control_context: { parent_task_id: root, queue: 'parked' } }),
  );
  await http(daemon.url).post('/api/v1/tasks/batch', { tasks });
  const all = await statusOf(daemon, root, '?tree=true');
  expect(all.children).toHaveLength(1000);
  expect(all).not.toHaveProperty('more_children');
  await parked(daemon, below('c0'));
  await parked(daemon, below(root));
  const cut = await statusOf(daemon, root, '?tree=true');
  expect(cut.children).toHaveLength(1000);
  expect(cut.more_children).toBe(true);
});

test('a parent must be there, and of the same tenant', async () => {
  const daemon = await startDaemon();
  const mine = await parked(daemon, { control_context: { tenant: 'a' } });
  const refused = async (control_context: object, query = '') => {
    const answer = await http(daemon.url).post(
      `/api/v1/tasks${query}`,
      command('true', [], { control_context }),
    );
    return [answer.status, answer.body.error?.message as string] as const;
  };
  const unknown = (id: string) =>
    `invalid input: control_context.parent_task_id: there is no task ${id} of this tenant`;
  expect(await refused({ parent_task_id: 'nobody' })).toEqual([400, unknown('nobody')]);
  expect(await refused({ parent_task_id: 'nobody' }, '?dry_run=true')).toEqual([400, unknown('nobody')]);
  expect(await refused({ parent_task_id: mine })).toEqual([400, unknown(mine)]);
  expect(await refused({ parent_task_id: mine, tenant: 'b' })).toEqual([400, unknown(mine)]);
  expect((await refused({ parent_task_id: '' }))[0]).toBe(400);
  expect((await refused({ parent_task_id: 5 }))[0]).toBe(400);
  expect((await refused({ parent_task_id: mine, tenant: 'a' }))[0]).toBe(200);
  expect((await refused({ parent_task_id: null }))[0]).toBe(200);
  const cli = await execgo(['submit', '--parent', 'nobody', '--', 'true'], { daemon });
  expect(cli).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('--parent: there is no task nobody'),
  });
});

test('no more than a hundred stand above one another', async () => {
  const daemon = await startDaemon();
  let id = await parked(daemon);
  for (let i = 0; i < 100; i++) id = await parked(daemon, below(id));
  const answer = await http(daemon.url).post('/api/v1/tasks', command('true', [], below(id)));
  expect(answer.body.error.message).toContain('has 100 tasks above it, which is the most');
});

test('a kill with children ends all below it, and a kill without them only the one', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '8'] });
  const root = await submit(daemon, sleeper());
  const child = await submit(daemon, sleeper(below(root)));
  const deep = await submit(daemon, sleeper(below(child)));
  const waits = await parked(daemon, below(child));
  const other = await submit(daemon, sleeper());
  await waitFor(async () => (await statusOf(daemon, deep)).pid, { what: 'the start' });
  await http(daemon.url).post(`/api/v1/tasks/${root}/kill`);
  expect((await waitForEnd(daemon, root)).cause).toBe('cancelled');
  const running = await statusOf(daemon, deep);
  expect(running.status).toBe('running');
  // Also of one that has ended.
  const killed = await execgo(['kill', '--children', root], { daemon });
  expect(killed).toMatchObject({ code: 0, stderr: '' });
  for (const id of [child, deep, waits])
    expect(await waitForEnd(daemon, id)).toMatchObject({ cause: 'cancelled', kill_requested: true });
  expect(isAlive(running.pid!)).toBe(false);
  expect((await statusOf(daemon, other)).status).toBe('running');
  // Nothing comes to them any more, wherever it is put; also after a restart.
  for (const parent of [root, deep]) {
    const answer = await http(daemon.url).post('/api/v1/tasks', command('true', [], below(parent)));
    expect(answer.status).toBe(409);
    expect(answer.body.error.message).toContain('was killed with its children, and can have no more');
  }
  await daemon.restart();
  expect((await http(daemon.url).post('/api/v1/tasks', command('true', [], below(child)))).status).toBe(409);
  expect((await http(daemon.url).post(`/api/v1/tasks/nobody/kill?children=true`)).status).toBe(404);
  const bad = await http(daemon.url).post(`/api/v1/tasks/${other}/kill?children=1`);
  expect(bad.body.error.message).toBe('invalid input: children: must be given once, as true or false');
});

test('the owner of the task decides, of its children too', async () => {
  const daemon = await startDaemon();
  const root = await parked(daemon, { control_context: { owner: 'me' } });
  const child = await parked(daemon, below(root, { owner: 'you' }));
  const kill = (owner: string) =>
    http(daemon.url).post(`/api/v1/tasks/${root}/kill?children=true`, undefined, { 'x-execgo-owner': owner });
  expect((await kill('you')).status).toBe(403);
  expect((await statusOf(daemon, child)).status).toBe('accepted');
  expect((await kill('me')).status).toBe(200);
  expect((await waitForEnd(daemon, child)).cause).toBe('cancelled');
});

test('a child that comes while its parent is killed is refused, or killed with it', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '4'] });
  for (let round = 0; round < 5; round++) {
    const root = await submit(daemon, sleeper());
    const child = await submit(daemon, sleeper(below(root)));
    const send = (parent: string, i: number) =>
      http(daemon.url).post(
        '/api/v1/tasks',
        i % 3 === 0 ? sleeper(below(parent)) : command('true', [], below(parent, { queue: 'parked' })),
      );
    await http(daemon.url).put('/api/v1/queues/parked', { paused: true });
    const sent = [];
    for (let i = 0; i < 10; i++) sent.push(send(i % 2 === 0 ? root : child, i));
    const killed = http(daemon.url).post(`/api/v1/tasks/${root}/kill?children=true&grace_ms=0`);
    for (let i = 10; i < 20; i++) sent.push(send(i % 2 === 0 ? root : child, i));
    expect((await killed).status).toBe(200);
    for (const answer of await Promise.all(sent)) {
      expect([200, 409]).toContain(answer.status);
      if (answer.status === 200)
        expect((await waitForEnd(daemon, answer.body.task_id as string)).status).toBe('cancelled');
    }
    await waitForEnd(daemon, child);
    const left = await http(daemon.url).get<TaskPage>('/api/v1/tasks?status=accepted,running');
    expect(left.body.tasks).toEqual([]);
  }
});
