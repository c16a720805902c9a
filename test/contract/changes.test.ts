import { expect, test } from 'vitest';
import { ExecgoClient, type Change, type TaskSummary } from '../../src/client/index.js';
import {
  command,
  type Daemon,
  execgo,
  http,
  inTerminal,
  startDaemon,
  submit,
  submitAndWait,
  waitFor,
} from '../harness/index.js';

const FLAGS = ['--max-running-tasks', '4', '--gc-interval-ms', '20'];

/** What a program knows of tasks that it is told of. It fails when something is told twice, or not in order. */
class Mirror {
  readonly tasks = new Map<string, TaskSummary>();
  version = 0;
  #last = 0;
  #told = new Set<string>();

  apply(change: Change): void {
    if (change.type === 'reset') {
      this.tasks.clear();
      this.#last = this.version = 0;
    } else if (change.type === 'caught_up') {
      expect(change.version).toBeGreaterThanOrEqual(this.#last);
      this.#last = this.version = change.version;
      this.#told.clear();
    } else {
      expect(change.version).toBeGreaterThan(this.#last);
      this.#last = change.version;
      if (change.type === 'deleted') this.tasks.delete(change.task_id);
      else {
        expect(this.#told).not.toContain(change.task.task_id);
        this.#told.add(change.task.task_id);
        this.tasks.set(change.task.task_id, change.task);
      }
    }
  }

  async read(client: ExecgoClient, limit: number): Promise<void> {
    for await (const change of client.changes({ after: this.version, limit })) this.apply(change);
  }
}

/** Tasks as they are, by id; why they wait is no change of them. */
async function allTasks(client: ExecgoClient): Promise<Map<string, Partial<TaskSummary>>> {
  const all = new Map<string, Partial<TaskSummary>>();
  for await (const { waiting: _now, ...task } of client.listAll({ limit: 1000 })) all.set(task.task_id, task);
  return all;
}

const known = ({ tasks }: Mirror) =>
  new Map([...tasks].map(([id, { waiting: _then, ...task }]) => [id, task as Partial<TaskSummary>]));

/** Writers that submit, change, kill and delete, until each has done its share. */
async function write(daemon: Daemon, writers: number, each: number): Promise<void> {
  const { post, request } = http(daemon.url);
  const one = async (writer: number) => {
    for (let i = 0; i < each; i++) {
      const id = `w${writer}-${i}`;
      await submit(daemon, { task_id: id, ...command('sh', ['-c', `exit ${i % 3}`]) });
      if (i % 4 === 1) await post(`/api/v1/tasks/${id}/kill`);
      if (i % 4 === 2) await request('PATCH', `/api/v1/tasks/${id}`, { body: { policy: { priority: i } } });
      const earlier = `w${writer}-${i - 3}`;
      if (i % 3 === 0 && i > 3) await request('DELETE', `/api/v1/tasks/${earlier}`);
    }
  };
  await Promise.all(Array.from({ length: writers }, (_, writer) => one(writer)));
}

test('a mirror knows every task as it is, while others submit, change, kill, delete and collect, and over a kill of the daemon', async () => {
  const daemon = await startDaemon({ flags: FLAGS });
  const mirrors = [1, 7, 1000].map((limit) => ({ limit, mirror: new Mirror() }));
  let client = new ExecgoClient({ server: daemon.url });
  for (const round of [1, 2]) {
    let writing = true;
    const written = write(daemon, 6, 25 * round).finally(() => {
      writing = false;
    });
    // Each reads again and again; the first ones see little of each round.
    await Promise.all(
      mirrors.map(async ({ limit, mirror }) => {
        while (writing) await mirror.read(client, limit);
      }),
    );
    await written;
    await http(daemon.url).post('/api/v1/gc', { older_than_ms: 100 });
    await waitFor(async () => {
      const { tasks } = await client.list({ status: ['accepted', 'running'], limit: 1 });
      return tasks.length === 0;
    });
    for (const { limit, mirror } of mirrors) {
      await mirror.read(client, limit);
      expect(known(mirror)).toEqual(await allTasks(client));
    }
    if (round === 2) break;
    client.close();
    await daemon.kill();
    await daemon.restart();
    client = new ExecgoClient({ server: daemon.url });
    await submitAndWait(daemon, command('true', [], { task_id: 'after' }));
    await http(daemon.url).request('DELETE', '/api/v1/tasks/after');
    for (let i = 0; i < 6; i++)
      for (let j = 0; j < 50; j++) await http(daemon.url).request('DELETE', `/api/v1/tasks/w${i}-${j}`);
  }
  client.close();
});

test('a change is told as it comes, and by whose it is', async () => {
  const daemon = await startDaemon();
  const client = new ExecgoClient({ server: daemon.url });
  const stop = new AbortController();
  const seen: Change[] = [];
  const following = (async () => {
    for await (const change of client.changes({ follow: true, tenant: 'ours', signal: stop.signal }))
      seen.push(change);
  })();
  const whose = (tenant: string) => ({ control_context: { tenant } });
  await submitAndWait(daemon, command('true', [], { task_id: 'other', ...whose('theirs') }));
  await submitAndWait(daemon, command('true', [], { task_id: 'mine', ...whose('ours') }));
  await http(daemon.url).request('DELETE', '/api/v1/tasks/other');
  await http(daemon.url).request('DELETE', '/api/v1/tasks/mine');
  await waitFor(() => seen.some((change) => change.type === 'deleted'));
  stop.abort();
  await expect(following).rejects.toThrow();
  client.close();
  const told = seen.flatMap((c) =>
    c.type === 'task' ? [c.task.task_id] : c.type === 'deleted' ? [c.task_id] : [],
  );
  expect(new Set(told)).toEqual(new Set(['mine']));
});

test('the command line tells what changed, and what to ask for the next time', async () => {
  const daemon = await startDaemon();
  await submitAndWait(daemon, command('true', [], { task_id: 'one' }));
  await submitAndWait(daemon, command('true', [], { task_id: 'two' }));
  const list = async (...args: string[]) => {
    const { code, stdout, stderr } = await execgo(['list', ...args], { daemon });
    expect([code, stderr]).toEqual([0, '']);
    return JSON.parse(stdout);
  };
  const first = await list('--changed-after', '0');
  expect(first).toMatchObject({ tasks: [{ task_id: 'one' }, { task_id: 'two' }], deleted: [] });
  await http(daemon.url).request('DELETE', '/api/v1/tasks/one');
  const since = await list('--changed-after', String(first.version));
  expect(since).toMatchObject({
    tasks: [],
    deleted: [{ task_id: 'one' }],
    version: Number(first.version) + 1,
  });
  expect(await list('--changed-after', String(since.version), '--all')).toEqual({
    ...{ tasks: [], deleted: [] },
    version: since.version,
  });
  const shown = inTerminal(['list', '--changed-after', String(first.version)], { daemon, columns: 200 });
  expect(await shown.ended).toBe(0);
  expect(shown.shown()).toMatch(/one was deleted at .*Z\n.*the next time give --changed-after \d+/);
  const late = await execgo(['list', '--changed-after', '999999'], { daemon });
  expect([late.code, late.stdout]).toEqual([1, '']);
  expect(late.stderr).toMatch(/^execgo: .*999999 has not been given here.*begin again after version 0/);
  const both = await execgo(['list', '--changed-after', '1', '--status', 'failed'], { daemon });
  expect(both.code).toBe(1);
  expect(both.stderr).toContain('--status: does not go with --changed-after');
});

test('lists by time, in the orders and with the fields that are asked for', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1'] });
  const before = new Date().toISOString();
  await submitAndWait(daemon, command('true', [], { task_id: 'a' }));
  const between = (await submitAndWait(daemon, command('false', [], { task_id: 'b' }))).finished_at!;
  await submit(daemon, command('sleep', ['600'], { task_id: 'busy' }));
  for (const [task_id, priority] of Object.entries({ low: -1, first: 5, second: 5 }))
    await submit(daemon, command('true', [], { task_id, policy: { priority } }));
  const ids = async (...args: string[]): Promise<string[]> => {
    const { code, stdout, stderr } = await execgo(['list', '--fields', 'status', ...args], { daemon });
    expect([code, stderr]).toEqual([0, '']);
    const { tasks } = JSON.parse(stdout) as { tasks: Record<string, unknown>[] };
    for (const task of tasks) expect(Object.keys(task)).toEqual(['task_id', 'status']);
    return tasks.map(({ task_id }) => task_id as string);
  };
  expect(await ids('--order', 'priority')).toEqual(['first', 'second', 'low']);
  expect(await ids('--order', 'priority', '-r', '-n', '1')).toEqual(['low']);
  expect(await ids('--order', 'finished')).toEqual(['b', 'a']);
  expect(await ids('--finished-after', between)).toEqual(['b']);
  expect(await ids('--finished-before', between, '--status', 'success')).toEqual(['a']);
  expect(await ids('--created-before', before)).toEqual([]);
  expect(await ids('--created-after', '1h', '--reverse', '-n', '2')).toEqual(['a', 'b']);
  expect(await ids('--created-after', '2020-01-01', '--order', 'oldest', '--status', 'running')).toEqual([
    'busy',
  ]);
  const wrong = await execgo(['list', '--fields', 'id'], { daemon });
  expect([wrong.code, wrong.stderr]).toEqual([
    1,
    expect.stringContaining('--fields: must be some of task_id,'),
  ]);
  const never = await execgo(['list', '--order', 'finished', '--status', 'running'], { daemon });
  expect(never.stderr).toContain('--order: finished is for tasks that have ended');
});
