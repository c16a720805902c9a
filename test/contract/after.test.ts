import { expect, test } from 'vitest';
import type { TaskView } from '../../src/task/view.js';
import {
  command,
  type Daemon,
  eventTypes,
  execgo,
  http,
  startDaemon,
  submit,
  submitAndWait,
  waitFor,
  waitForEnd,
} from '../harness/index.js';

const RUNS_ON = command('sleep', ['600']);
const after = (...ids: string[]) => ({ policy: { after: ids.map((task_id) => ({ task_id })) } });
const status = async (daemon: Daemon, id: string) =>
  (await http(daemon.url).get<TaskView>(`/api/v1/tasks/${id}`)).body;
const kill = (daemon: Daemon, id: string) =>
  http(daemon.url).post(`/api/v1/tasks/${id}/kill?wait_ms=60000&grace_ms=0`);
const refusal = async (daemon: Daemon, body: object, path = '/api/v1/tasks') => {
  const answer = await http(daemon.url).post<{ error: { code: string; message: string } }>(path, body);
  return `${answer.status} ${answer.body.error.code}: ${answer.body.error.message}`;
};

test('what a task waits for is told in its status, in lists and by explain, and holds over a restart', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '2'] });
  await submit(daemon, { task_id: 'build', ...RUNS_ON });
  await submit(daemon, { task_id: 'test', ...command('true', [], after('build')) });
  await submit(daemon, { task_id: 'deploy', ...command('true', [], after('test', 'build')) });
  await submit(daemon, {
    task_id: 'mail',
    ...command('true', [], { policy: { after: [{ task_id: 'deploy', when: 'failure' }] } }),
  });
  // It has room beside the others, which take none.
  expect(await submitAndWait(daemon, command('true'))).toMatchObject({ status: 'success' });
  const waiting = {
    reason: 'dependency',
    detail: 'starts after the success of "test" and the success of "build"',
    after: [
      { task_id: 'test', when: 'success', status: 'accepted' },
      { task_id: 'build', when: 'success', status: 'running' },
    ],
    after_count: 2,
  };
  for (const found of [
    await status(daemon, 'deploy'),
    (await http(daemon.url).get('/api/v1/tasks?status=accepted')).body.tasks.find(
      (t: TaskView) => t.task_id === 'deploy',
    ),
  ])
    expect(found.waiting).toMatchObject(waiting);
  expect((await status(daemon, 'deploy')).after).toEqual([
    { task_id: 'test', when: 'success' },
    { task_id: 'build', when: 'success' },
  ]);
  const explained = await execgo(['explain', 'deploy'], { daemon });
  expect(explained.stdout).toContain('dependency');
  expect(explained.stdout).toContain('  build is running; its success is waited for');
  expect((await execgo(['list'], { daemon })).stdout).toContain('dependency');
  expect((await http(daemon.url).get('/api/v1/runtime/resources')).body).toMatchObject({
    accepted_waiting_tasks: 3,
    reserved: { task_slots: 1 },
  });

  await daemon.restart();
  expect((await status(daemon, 'deploy')).waiting).toMatchObject(waiting);
  await kill(daemon, 'build');
  expect(await waitForEnd(daemon, 'deploy')).toMatchObject({
    status: 'cancelled',
    cause: 'dependency',
    error: { code: 'dependency_failed', details: { when: 'success', status: 'cancelled' } },
  });
  expect(await waitForEnd(daemon, 'mail')).toMatchObject({ status: 'success' });
  expect(await eventTypes(daemon, 'mail')).toContain('eligible');
  const found = (await http(daemon.url).get('/api/v1/tasks?cause=dependency')).body.tasks;
  expect(found.map((t: TaskView) => t.task_id)).toEqual(['deploy', 'test']);
});

test('bad input is refused with what was wrong, and leaves nothing behind', async () => {
  const daemon = await startDaemon();
  const task = (list: unknown) => command('true', [], { task_id: 't', policy: { after: list } });
  const wrong: [unknown, string][] = [
    ['a', 'policy.after: '],
    [['a'], 'policy.after.0: '],
    [[{}], 'policy.after.0.task_id: must be a text'],
    [[{ task_id: ' ' }], 'policy.after.0.task_id: must not be empty'],
    [[{ task_id: 'x'.repeat(256) }], 'policy.after.0.task_id: must have at most 255 bytes'],
    [[{ task_id: 'a', when: 'later' }], 'policy.after.0.when: '],
    [[{ task_id: 'a', then: 'b' }], 'policy.after.0: '],
    [[{ ref: 'a' }], 'policy.after.0'],
    [[{ task_id: 'a' }, { task_id: 'a', when: 'end' }], 'policy.after.1.task_id: names task a a second time'],
    [[{ task_id: 'a' }], 'policy.after.0.task_id: there is no task a, and how one ended is not remembered'],
    [[{ task_id: 't' }], 'policy.after.0.task_id: the task would wait for itself'],
  ];
  for (const path of ['/api/v1/tasks', '/api/v1/tasks?dry_run=true'])
    for (const [list, message] of wrong)
      expect(await refusal(daemon, task(list), path), JSON.stringify(list)).toContain(
        `400 invalid_input: invalid input: ${message}`,
      );
  expect((await http(daemon.url).get('/api/v1/tasks/t')).status).toBe(404);
  await submit(daemon, { task_id: 'a', ...RUNS_ON });
  await submit(daemon, task([{ task_id: 'a' }]));
  const patched = await http(daemon.url).request('PATCH', '/api/v1/tasks/t', {
    body: { policy: { after: [{ task_id: 'nobody' }] } },
  });
  expect([patched.status, patched.body.error.code]).toEqual([400, 'invalid_input']);
  expect((await status(daemon, 't')).after).toEqual([{ task_id: 'a', when: 'success' }]);
});

test('items of a batch name each other', async () => {
  const daemon = await startDaemon();
  const { body } = await http(daemon.url).post('/api/v1/tasks/batch', {
    tasks: [
      { task_id: 'last', ...command('true', [], { policy: { after: [{ ref: 'first', when: 'failure' }] } }) },
      { ref: 'first', ...command('false') },
      { ref: 'a', ...command('true', [], { policy: { after: [{ ref: 'a' }] } }) },
      { ref: '', ...command('true') },
    ],
  });
  expect(body.slice(0, 2)).toMatchObject([{ status: 'accepted' }, { status: 'accepted' }]);
  expect(body.slice(2)).toMatchObject([
    { error: { code: 'invalid_input' } },
    { error: { message: 'invalid input: ref: must not be empty' } },
  ]);
  expect(await waitForEnd(daemon, 'last')).toMatchObject({ status: 'success' });
  expect((await http(daemon.url).get('/api/v1/tasks/last/request')).body.policy.after).toEqual([
    { task_id: body[1].task_id, when: 'failure' },
  ]);
});

test('how a removed task ended is remembered for as long as the operator says', async () => {
  const daemon = await startDaemon({ flags: ['--gc-interval-ms', '20'] });
  await submitAndWait(daemon, { task_id: 'gone', ...command('false') });
  await http(daemon.url).delete('/api/v1/tasks/gone');
  expect(await submitAndWait(daemon, command('true', [], after('gone')))).toMatchObject({
    cause: 'dependency',
    error: { message: 'dependency failed: task gone has failed, and this one starts only after its success' },
  });
  await daemon.restart({ flags: ['--gc-interval-ms', '20', '--remember-ends-secs', '0'] });
  await waitFor(
    async () => (await refusal(daemon, command('true', [], after('gone'))).catch(() => '')) !== '',
  );
  expect(await refusal(daemon, command('true', [], after('gone')))).toContain('there is no task gone');
});

test('at the command line', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '3'] });
  for (const id of ['a', 'b', 'c']) await submit(daemon, { task_id: id, ...RUNS_ON });
  const run = (...args: string[]) => execgo(args, { daemon });
  const flags = ['--after', 'a, b', '--after-any', 'c'];
  const first = await run('submit', '--workspace', '--id', 'x', ...flags, '--', 'true');
  expect(first).toMatchObject({ code: 0, stdout: 'x\n' });
  await run(
    'submit',
    '--workspace',
    '--id',
    'y',
    '--after-failure',
    'x',
    '--after-failure',
    'c',
    '--',
    'true',
  );
  expect((await status(daemon, 'x')).after).toEqual([
    { task_id: 'a', when: 'success' },
    { task_id: 'b', when: 'success' },
    { task_id: 'c', when: 'end' },
  ]);
  expect((await status(daemon, 'y')).after).toMatchObject([
    { task_id: 'x', when: 'failure' },
    { task_id: 'c', when: 'failure' },
  ]);
  expect((await run('edit', 'x', '--after-any', 'b')).code).toBe(0);
  expect((await status(daemon, 'x')).after).toEqual([{ task_id: 'b', when: 'end' }]);
  const cycle = await run('edit', 'x', '--after', 'y');
  expect(cycle).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('--after: these tasks would wait for each other: x after y after x'),
  });
  expect(await run('submit', '--workspace', '--after', 'nobody', '--', 'true')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('--after: there is no task nobody'),
  });
  await run('edit', 'y', '--after', '');
  expect(await status(daemon, 'y')).not.toHaveProperty('after');
  for (const id of ['a', 'b', 'c']) await kill(daemon, id);
  for (const id of ['x', 'y']) expect(await waitForEnd(daemon, id)).toMatchObject({ status: 'success' });
});
