import { expect, test } from 'vitest';
import type { GroupKillAnswer, GroupView } from '../../src/task/groups.js';
import type { EventView, TaskView } from '../../src/task/view.js';
import {
  command,
  type Daemon,
  execgo,
  http,
  startDaemon,
  submit,
  submitAndWait,
  waitForEnd,
} from '../harness/index.js';

const RUNS_ON = ['sleep', ['600']] as const;
const inGroup = (group: string, more: object = {}, policy: object = {}) => ({
  control_context: { group, ...more },
  policy,
});
const view = async (daemon: Daemon, path: string) =>
  (await http(daemon.url).get<GroupView>(`/api/v1/groups/${path}`)).body;

test('a group counts its tasks, names those that failed first, and says when the last has ended', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1'] });
  await submitAndWait(daemon, { task_id: 'good', ...command('true', [], inGroup('g')) });
  await submitAndWait(daemon, { task_id: 'bad', ...command('sh', ['-c', 'exit 3'], inGroup('g')) });
  await submit(daemon, { task_id: 'runs', ...command(...RUNS_ON, inGroup('g')) });
  await submit(daemon, { task_id: 'waits', ...command('true', [], inGroup('g')) });
  await submit(daemon, { task_id: 'theirs', ...command('true', [], inGroup('g', { tenant: 't' })) });
  const before = {
    group: 'g',
    counts: { accepted: 1, running: 1, success: 1, failed: 1, cancelled: 0 },
    done: false,
    failures: [{ task_id: 'bad', cause: 'exit', exit_code: 3, error: { code: 'exit_nonzero' } }],
  };
  expect(await view(daemon, 'g')).toMatchObject(before);
  expect(await view(daemon, 'g?tenant=t')).toMatchObject({ tenant: 't', counts: { accepted: 1 } });
  await daemon.restart();
  expect(await view(daemon, 'g')).toMatchObject(before);
  const listed = async (query: string) =>
    (await http(daemon.url).get(`/api/v1/tasks?${query}`)).body.tasks.map((t: TaskView) => t.task_id);
  expect(await listed('group=g&order=oldest')).toEqual(['good', 'bad', 'runs', 'waits', 'theirs']);
  expect(await listed('group=g&tenant=t')).toEqual(['theirs']);
  expect(await listed('group=g&status=failed')).toEqual(['bad']);
  expect((await http(daemon.url).get<TaskView>('/api/v1/tasks/bad')).body.group).toBe('g');

  const waited = view(daemon, 'g?wait_ms=60000');
  await http(daemon.url).post('/api/v1/tasks/runs/kill?grace_ms=0');
  expect(await waited).toMatchObject({
    counts: { accepted: 0, running: 0, success: 2, failed: 1, cancelled: 1 },
    done: true,
  });
  const events = (await http(daemon.url).get<EventView[]>('/api/v1/tasks/waits/events')).body;
  expect(events.at(-1)).toMatchObject({
    event_type: 'group_done',
    type: 'task_progressed',
    message: 'this was the last task of its group: g, of which 2 succeeded, 1 failed and 1 were cancelled',
    data: { group: 'g', success: 2, failed: 1, cancelled: 1 },
  });
  await waitForEnd(daemon, 'theirs');
  expect((await http(daemon.url).get('/api/v1/groups?limit=1')).body.groups).toMatchObject([{ group: 'g' }]);
  for (const id of ['good', 'bad', 'runs', 'waits']) await http(daemon.url).delete(`/api/v1/tasks/${id}`);
  expect((await http(daemon.url).get('/api/v1/groups/g')).status).toBe(404);
  expect((await http(daemon.url).get('/api/v1/groups')).body.groups).toEqual([]);
});

test('a group is killed as a whole, but for what has another owner', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '2'] });
  for (const [id, more] of [
    ['a', {}],
    ['b', { owner: 'me' }],
    ['c', {}],
    ['d', { owner: 'you' }],
  ] as const)
    await submit(daemon, { task_id: id, ...command(...RUNS_ON, inGroup('g', more)) });
  await submit(daemon, {
    task_id: 'after',
    ...command('true', [], inGroup('g', {}, { after: [{ task_id: 'a' }] })),
  });
  const answer = await http(daemon.url).post<GroupKillAnswer>('/api/v1/groups/g/kill?grace_ms=0', '', {
    'x-execgo-owner': 'me',
  });
  expect(answer.body).toMatchObject({ killed: 4, refused: 1 });
  for (const id of ['a', 'b', 'c', 'after'])
    expect(await waitForEnd(daemon, id)).toMatchObject({ status: 'cancelled' });
  expect(await view(daemon, 'g')).toMatchObject({ counts: { cancelled: 4 }, done: false });
});

test('max_failures stops the rest, also of what comes later and over a restart', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '3'] });
  const max = (n: number) => inGroup('g', {}, { max_failures: n });
  await submit(daemon, { task_id: 'mine', ...command(...RUNS_ON, inGroup('g', { owner: 'me' })) });
  await submit(daemon, { task_id: 'runs', ...command(...RUNS_ON, max(2)) });
  await submit(daemon, {
    task_id: 'waits',
    ...command('true', [], inGroup('g', {}, { after: [{ task_id: 'runs' }] })),
  });
  await submitAndWait(daemon, command('false', [], inGroup('g')));
  await daemon.restart();
  expect(await view(daemon, 'g')).toMatchObject({ max_failures: 2, counts: { failed: 1, running: 2 } });
  await submitAndWait(daemon, command('false', [], inGroup('g')));
  for (const id of ['runs', 'waits'])
    expect(await waitForEnd(daemon, id)).toMatchObject({ status: 'cancelled' });
  // Who said how many may fail is not its owner.
  expect(await view(daemon, 'g')).toMatchObject({ stopped: true, counts: { running: 1, failed: 2 } });
  const refused = await http(daemon.url).post('/api/v1/tasks', command('true', [], inGroup('g')));
  expect([refused.status, refused.body.error]).toMatchObject([
    409,
    {
      code: 'conflict',
      message: 'group "g" is stopped: 2 of its tasks have failed, and its max_failures is 2',
    },
  ]);
  expect(await submitAndWait(daemon, command('true', [], max(5)))).toMatchObject({ status: 'success' });
  expect(await view(daemon, 'g')).not.toHaveProperty('stopped');
});

test('at the command line', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '4'] });
  const run = (...args: string[]) => execgo(args, { daemon });
  const add = (id: string, ...words: string[]) =>
    run(
      'submit',
      '--workspace',
      '--group',
      'g',
      '--tenant',
      't',
      '--max-failures',
      '9',
      '--id',
      id,
      '--',
      ...words,
    );
  await add('a', 'echo', 'from a');
  await add('b', 'sh', '-c', 'echo from b; exit 7');
  await add('c', 'sleep', '600');
  const group = ['--group', 'g', '--tenant', 't'];
  for (const id of ['a', 'b']) await waitForEnd(daemon, id);
  const waited = await run('wait', ...group, '--timeout-ms', '1');
  expect(waited).toMatchObject({
    code: 124,
    stderr: expect.stringContaining('group g did not end within 1 ms'),
  });
  const killed = await run('kill', ...group, '--grace', '0s', '--wait');
  expect(JSON.parse(killed.stdout)).toMatchObject({ killed: 1, refused: 0, done: true, tenant: 't' });
  expect(await run('wait', ...group)).toMatchObject({ code: 7 });
  expect((await run('logs', ...group)).stdout).toBe('==> a <==\nfrom a\n\n==> b <==\nfrom b\n\n==> c <==\n');
  expect(JSON.parse((await run('list', '--group', 'g')).stdout).tasks).toHaveLength(3);
  expect(JSON.parse((await run('list', '--group', 'other')).stdout).tasks).toEqual([]);
  expect(JSON.parse((await run('group', 'show', 'g', '--tenant', 't')).stdout)).toMatchObject({
    counts: { success: 1, failed: 1, cancelled: 1 },
    max_failures: 9,
  });
  expect(JSON.parse((await run('group', 'list', '--tenant', 't')).stdout).groups).toHaveLength(1);
  for (const [args, words] of [
    [['wait'], 'name a task or --group'],
    [['kill', 'a', '--group', 'g'], 'give ids or --group, not both'],
    [['logs', '--tenant', 't'], '--tenant goes with --group'],
    [['logs', 'a', '--tenant', 't'], '--tenant goes with --group'],
    [['logs', '-f', '--group', 'g'], '-f follows one task'],
    [['wait', '--group', ''], '--group must not be empty'],
    [['group', 'list', '-n', '0'], '-n must be from 1'],
  ] as const)
    expect(await run(...args), args.join(' ')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(words),
    });
  for (const what of [['wait'], ['kill'], ['logs']])
    expect(await run(...what, '--group', 'none')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('group not found: none'),
    });
});

test('bad input is refused with what was wrong', async () => {
  const daemon = await startDaemon();
  const api = http(daemon.url);
  const refusal = async (answer: Promise<{ status: number; body: { error: { message: string } } }>) => {
    const { status, body } = await answer;
    return `${status} ${body.error.message}`;
  };
  for (const [more, field] of [
    [{ control_context: { group: ' ' } }, 'control_context.group'],
    [{ control_context: { group: 'x'.repeat(1025) } }, 'control_context.group'],
    [{ policy: { max_failures: 1 } }, 'policy.max_failures'],
    [inGroup('g', {}, { max_failures: 0 }), 'policy.max_failures'],
  ] as const)
    expect(await refusal(api.post('/api/v1/tasks', command('true', [], more)))).toContain(
      `400 invalid input: ${field}: `,
    );
  expect(await refusal(api.get('/api/v1/groups?cursor=%25'))).toContain('400 invalid input: cursor: ');
  expect(await refusal(api.get('/api/v1/groups?limit=201'))).toContain('400 invalid input: limit: ');
  expect(await refusal(api.get('/api/v1/groups/g?tenant='))).toContain('400 invalid input: tenant: ');
  expect(await refusal(api.get('/api/v1/groups/g?wait_ms=x'))).toContain('400 invalid input: wait_ms: ');
  expect(await refusal(api.post('/api/v1/groups/g/kill?signal=99', ''))).toContain(
    '400 invalid input: signal: ',
  );
  expect(await refusal(api.post('/api/v1/groups/g/kill', ''))).toBe('404 group not found: g');
});
