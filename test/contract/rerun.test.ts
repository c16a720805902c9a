import { expect, test } from 'vitest';
import type { GroupView } from '../../src/task/groups.js';
import type { GroupRetryAnswer, RetryAnswer } from '../../src/task/rerun.js';
import type { EventView, TaskView } from '../../src/task/view.js';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  command,
  type Daemon,
  execgo,
  http,
  script,
  startDaemon,
  submit,
  submitAndWait,
  tempDir,
  waitForEnd,
} from '../harness/index.js';

const status = async (daemon: Daemon, id: string) =>
  (await http(daemon.url).get<TaskView>(`/api/v1/tasks/${id}`)).body;
const retry = async (daemon: Daemon, id: string, query = '', headers = {}) =>
  (await http(daemon.url).post<RetryAnswer>(`/api/v1/tasks/${id}/retry${query}`, '', headers)).body;
const group = async (daemon: Daemon) => (await http(daemon.url).get<GroupView>('/api/v1/groups/g')).body;
const retryGroup = async (daemon: Daemon, query = '') =>
  (await http(daemon.url).post<GroupRetryAnswer>(`/api/v1/groups/g/retry${query}`, '')).body;

test('a task that has ended is run again as a new one with the same request, and once, over a restart too', async () => {
  const daemon = await startDaemon();
  const request = command('sh', ['-c', 'echo "$WHAT"; exit 3'], {
    execution: { kind: 'command', program: 'sh', args: ['-c', 'echo "$WHAT"; exit 3'], env: { WHAT: 'it' } },
    policy: { priority: 7, retry: { max_attempts: 2, backoff_ms: 0 } },
    control_context: {
      ...{ tenant: 't', owner: 'me', queue: 'q', labels: { a: 'b' }, group: 'g' },
      idempotency_key: 'k',
    },
    metadata: { note: 'x' },
  });
  await submitAndWait(daemon, { task_id: 'old', ...request });
  const me = { 'x-execgo-owner': 'me' };
  const first = await retry(daemon, 'old', '', me);
  expect(first).toMatchObject({ retry_of: 'old', created: true, status: 'accepted' });
  const id = first.task_id;
  const ended = await waitForEnd(daemon, id);
  expect(ended).toMatchObject({
    retry_of: 'old',
    ...{
      stdout: 'it\n',
      exit_code: 3,
      attempt: 2,
      priority: 7,
      tenant: 't',
      owner: 'me',
      queue: 'q',
      group: 'g',
    },
    labels: { a: 'b' },
    metadata: { note: 'x' },
  });
  const old = await status(daemon, 'old');
  expect(old).toMatchObject({ status: 'failed', retried_as: id });
  expect(old).not.toHaveProperty('retry_of');
  const events = (await http(daemon.url).get<EventView[]>('/api/v1/tasks/old/events')).body;
  expect(events.at(-1)).toMatchObject({
    event_type: 'retried',
    message: `task run again: as ${id}`,
    data: { task_id: id },
  });
  const sent = (await http(daemon.url).get(`/api/v1/tasks/${id}/request`)).body;
  expect(sent).not.toHaveProperty('task_id');
  expect(sent.control_context).not.toHaveProperty('idempotency_key');

  await daemon.restart();
  expect(await retry(daemon, 'old', '', me)).toEqual({ ...first, created: false, warnings: undefined });
  const both = await Promise.all([retry(daemon, id, '', me), retry(daemon, id, '', me)]);
  expect(new Set(both.map(({ task_id }) => task_id)).size).toBe(1);
  expect(both.map(({ created }) => created).sort()).toEqual([false, true]);
  const another = await retry(daemon, 'old', '?again=true', me);
  expect([another.created, another.task_id]).not.toEqual([false, id]);
  await waitForEnd(daemon, another.task_id);
  expect((await status(daemon, 'old')).retried_as).toBe(another.task_id);
  expect((await http(daemon.url).get('/api/v1/tasks?order=oldest')).body.tasks).toHaveLength(4);
});

test('bad input is refused with what was wrong, and makes nothing', async () => {
  const daemon = await startDaemon();
  const refusal = async (path: string, headers = {}) => {
    const { status, body } = await http(daemon.url).post(`/api/v1/${path}`, '', headers);
    return `${status} ${body.error.message}`;
  };
  await submit(daemon, { task_id: 'runs', ...command('sleep', ['600']) });
  await submit(daemon, {
    task_id: 'waits',
    ...command('true', [], { policy: { after: [{ task_id: 'runs' }] }, control_context: { group: 'g' } }),
  });
  expect(await refusal('tasks/none/retry')).toContain('404 ');
  expect(await refusal('tasks/runs/retry')).toBe(
    '409 task runs is running: only one that has ended can be run again',
  );
  expect(await refusal('tasks/waits/retry')).toContain('409 task waits is accepted');
  expect(await refusal('tasks/runs/retry?again=1')).toContain('400 invalid input: again: ');
  await submitAndWait(daemon, {
    task_id: 'owned',
    ...command('true', [], { control_context: { owner: 'me' } }),
  });
  expect(await refusal('tasks/owned/retry')).toContain('permission denied');
  expect(await refusal('tasks/owned/retry', { 'x-execgo-owner': 'you' })).toContain('permission denied');
  await http(daemon.url).post('/api/v1/tasks/runs/kill?grace_ms=0');
  await waitForEnd(daemon, 'waits');
  expect(await refusal('tasks/waits/retry')).toBe(
    '409 task waits starts only after the success of runs, which has ended as cancelled: run that again first',
  );
  expect(await refusal('groups/none/retry')).toBe('404 group not found: none');
  expect(await refusal('groups/g/retry?limit=0')).toContain('400 invalid input: limit: ');
  expect(await refusal('groups/g/retry?limit=1001')).toContain('400 invalid input: limit: ');
  expect(await refusal('groups/g/retry?cursor=x')).toContain('400 invalid input: cursor: ');
  expect(await refusal('groups/g/retry?cancelled=yes')).toContain('400 invalid input: cancelled: ');
  expect(await refusal('groups/g/retry?tenant=')).toContain('400 invalid input: tenant: ');
  expect((await http(daemon.url).get('/api/v1/tasks')).body.tasks).toHaveLength(3);
});

test('of a group what failed is run again, with what was cancelled because of that, in their order', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '2'] });
  const mended = join(tempDir(), 'mended');
  const add = (task_id: string, body: string, ...after: (string | [string, string])[]) =>
    submit(daemon, {
      task_id,
      ...script(body, {
        control_context: { group: 'g' },
        policy: {
          max_failures: 5,
          after: after.map((each) =>
            typeof each === 'string' ? { task_id: each } : { task_id: each[0], when: each[1] },
          ),
        },
      }),
    });
  await add('fine', 'true');
  await add('build', `test -e ${mended}`);
  await add('test', 'echo tested', 'build', 'fine');
  await add('deploy', 'true', 'test');
  await add('mail', 'true', ['build', 'failure']);
  await add('never', 'true', ['fine', 'failure']);
  for (const id of ['deploy', 'mail', 'never']) await waitForEnd(daemon, id);
  expect(await group(daemon)).toMatchObject({ counts: { success: 2, failed: 1, cancelled: 3 }, done: true });

  writeFileSync(mended, '');
  const pages = [];
  let cursor: string | undefined;
  do {
    const page = await retryGroup(daemon, `?limit=1${cursor === undefined ? '' : `&cursor=${cursor}`}`);
    pages.push(...page.tasks);
    cursor = page.next_cursor;
  } while (cursor !== undefined);
  expect(pages.map((each) => each.retry_of)).toEqual(['build', 'test', 'deploy']);
  const [build, tested, deploy] = pages.map((each) => ('task_id' in each ? each.task_id : ''));
  for (const id of [build, tested, deploy])
    expect(await waitForEnd(daemon, id!)).toMatchObject({ status: 'success' });
  expect((await status(daemon, tested!)).after).toEqual([
    { task_id: build, when: 'success' },
    { task_id: 'fine', when: 'success' },
  ]);
  expect(await group(daemon)).toMatchObject({
    counts: { success: 5, failed: 0, cancelled: 1 },
    retried: 3,
    failures: [],
  });
  expect((await retryGroup(daemon)).tasks).toEqual([]);
  for (const id of ['build', 'fine', 'mail', 'never', 'test', 'deploy', build, tested, deploy])
    expect((await http(daemon.url).delete(`/api/v1/tasks/${id}`)).status).toBe(200);
  expect((await http(daemon.url).get('/api/v1/groups/g')).status).toBe(404);
});

test('a group that was stopped goes on when what failed in it is run again', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1'] });
  const mended = join(tempDir(), 'mended');
  const policy = { max_failures: 2 };
  // All of them are there before the first has failed.
  await http(daemon.url).put('/api/v1/queues/q', { paused: true });
  for (const id of ['a', 'b', 'c', 'd'])
    await submit(daemon, {
      task_id: id,
      ...script(`test -e ${mended}`, { control_context: { group: 'g', queue: 'q' }, policy }),
    });
  await http(daemon.url).put('/api/v1/queues/q', {});
  for (const id of ['a', 'b', 'c', 'd']) await waitForEnd(daemon, id);
  expect(await group(daemon)).toMatchObject({ stopped: true, counts: { failed: 2, cancelled: 2 } });
  expect(existsSync(mended)).toBe(false);
  const again = async (query: string) => {
    const { tasks } = await retryGroup(daemon, query);
    for (const each of tasks) await waitForEnd(daemon, 'task_id' in each ? each.task_id : '');
    return tasks.map(({ retry_of }) => retry_of);
  };
  // They fail again, both of them: it is stopped again.
  expect(await again('')).toEqual(['a', 'b']);
  expect(await group(daemon)).toMatchObject({
    stopped: true,
    counts: { failed: 2, cancelled: 2 },
    retried: 2,
  });
  writeFileSync(mended, '');
  expect(await again('?cancelled=true')).toHaveLength(4);
  const after = await group(daemon);
  expect(after).toMatchObject({ counts: { success: 4, failed: 0, cancelled: 0 }, retried: 6, done: true });
  expect(after).not.toHaveProperty('stopped');
});

test('at the command line', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '4'] });
  const run = (...args: string[]) => execgo(args, { daemon });
  const add = (id: string, word: string, ...flags: string[]) =>
    run('submit', '--workspace', '--group', 'g', '--id', id, ...flags, '--', word);
  await add('good', 'true');
  await add('bad', 'false');
  await waitForEnd(daemon, 'bad');
  await add('next', 'true', '--after', 'bad');
  for (const id of ['good', 'next']) await waitForEnd(daemon, id);
  const first = await run('retry', 'bad', 'good');
  expect(first).toMatchObject({ code: 0, stderr: '' });
  const [bad, good] = first.stdout.trim().split('\n');
  expect(await run('wait', bad!, good!)).toMatchObject({ code: 1 });
  expect(await status(daemon, good!)).toMatchObject({ status: 'success', retry_of: 'good' });
  expect(await run('retry', 'bad')).toMatchObject({
    code: 0,
    stdout: `${bad}\n`,
    stderr: expect.stringContaining(`bad was run again before, as ${bad}: run that again, or give --again`),
  });
  expect((await run('retry', '--again', 'bad')).stdout).not.toBe(`${bad}\n`);
  await run('wait', '--group', 'g');
  const all = await run('retry', '--failed', '--group', 'g', '--json');
  expect(JSON.parse(all.stdout).map((each: RetryAnswer) => each.retry_of)).toContain('next');
  expect(await run('wait', '--group', 'g')).toMatchObject({ code: 1 });
  expect(await run('retry', 'nobody', 'next')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('nobody'),
  });
  for (const [args, words] of [
    [[], 'name a task or --group'],
    [['bad', '--group', 'g'], 'give ids or --group, not both'],
    [['bad', '--failed'], '--failed goes with --group'],
    [['bad', '--cancelled'], '--cancelled goes with --group'],
    [['--group', 'g'], 'say with --failed or --cancelled'],
    [['--group', 'g', '--failed', '--again'], '--again goes with ids'],
    [['--failed'], 'name a task or --group'],
  ] as const)
    expect(await run('retry', ...args), args.join(' ')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(words),
    });
  expect(await run('retry', '--failed', '--group', 'none')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('group not found: none'),
  });
  expect(await run('rerun', 'bad')).toMatchObject({ code: 2, stderr: expect.stringContaining('retry') });
});
