import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { FollowUpView } from '../../src/task/follow-up-view.js';
import type { TaskPage, TaskView } from '../../src/task/view.js';
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
  waitFor,
  waitForEnd,
} from '../harness/index.js';

const then = (body: object, when?: string[]) => ({ policy: { on_end: [{ when, submit: body }] } });
const statusOf = async (daemon: Daemon, id: string) =>
  (await http(daemon.url).get<TaskView>(`/api/v1/tasks/${id}`)).body;

/** What has become of what was to follow a task, once none of it is pending. */
async function settled(daemon: Daemon, id: string): Promise<FollowUpView[]> {
  return waitFor(
    async () => {
      const all = (await statusOf(daemon, id)).follow_ups ?? [];
      return all.length > 0 && all.every(({ state }) => state !== 'pending') ? all : undefined;
    },
    { what: `what follows ${id}` },
  );
}

async function all(daemon: Daemon): Promise<string[]> {
  const { body } = await http(daemon.url).get<TaskPage>('/api/v1/tasks?order=oldest');
  return body.tasks.map(({ task_id }) => task_id);
}

test('a follow-up is submitted once its task has ended, as its child, with its tenant and owner', async () => {
  const daemon = await startDaemon();
  const context = { control_context: { tenant: 'a', owner: 'me' } };
  const id = await submit(daemon, command('true', [], { ...context, ...then(script('echo followed')) }));
  const [followUp, ...more] = await settled(daemon, id);
  expect(more).toEqual([]);
  expect(followUp).toMatchObject({ state: 'submitted', attempts: 1 });
  expect(followUp).not.toHaveProperty('error');
  expect(await waitForEnd(daemon, followUp!.task_id!)).toMatchObject({
    ...{ status: 'success', stdout: 'followed\n', tenant: 'a', owner: 'me', parent_task_id: id },
  });
  expect(await all(daemon)).toHaveLength(2);
});

test('when it is to follow is said by statuses and causes, and several may follow one another', async () => {
  const daemon = await startDaemon();
  const chain = command('true', [], {
    task_id: 'second',
    ...then(
      command('false', [], {
        task_id: 'third',
        ...then(command('true', [], { task_id: 'fourth' }), ['failed']),
      }),
      ['success'],
    ),
  });
  await submitAndWait(daemon, script('exit 3', { task_id: 'first', ...then(chain, ['exit']) }));
  for (const [before, next] of [
    ['first', 'second'],
    ['second', 'third'],
    ['third', 'fourth'],
  ] as const) {
    await waitFor(async () => (await http(daemon.url).get(`/api/v1/tasks/${next}`)).status === 200, {
      what: next,
    });
    expect((await waitForEnd(daemon, next)).parent_task_id).toBe(before);
    expect(await settled(daemon, before)).toMatchObject([{ state: 'submitted', task_id: next }]);
  }
  // No other end, and no attempt that another follows.
  const never = command('true', [], { task_id: 'never' });
  const good = await submitAndWait(daemon, command('true', [], then(never, ['failed', 'cancelled'])));
  expect(good).not.toHaveProperty('follow_ups');
  const retry = { max_attempts: 2, backoff_ms: 0 };
  const { policy } = then(never, ['failed']);
  await submitAndWait(daemon, script('exit $((2 - EXECGO_ATTEMPT))', { policy: { ...policy, retry } }));
  expect(await all(daemon)).not.toContain('never');
});

test('what is refused is told, and what finds no room is tried again', async () => {
  const daemon = await startDaemon();
  await http(daemon.url).put('/api/v1/queues/full', { max_waiting: 0 });
  await submitAndWait(daemon, command('true', [], { task_id: 'taken' }));
  const [taken, patient] = await Promise.all([
    submit(daemon, command('true', [], then(command('true', [], { task_id: 'taken' })))),
    submit(daemon, command('true', [], then(command('true', [], { control_context: { queue: 'full' } })))),
  ]);
  expect(await settled(daemon, taken)).toMatchObject([
    { state: 'refused', attempts: 1, error: { code: 'conflict', message: 'task already exists: taken' } },
  ]);
  const tried = async () => (await statusOf(daemon, patient)).follow_ups?.[0]?.attempts === 1;
  await waitFor(tried, { what: 'the first try' });
  expect((await statusOf(daemon, patient)).follow_ups).toMatchObject([
    { state: 'pending', error: { code: 'resource_limit_exceeded' } },
  ]);
  // Also after its daemon, and its task, have gone.
  await daemon.kill();
  await daemon.restart();
  await http(daemon.url).delete(`/api/v1/tasks/${patient}`);
  await http(daemon.url).put('/api/v1/queues/full', {});
  const inQueue = async () =>
    (await http(daemon.url).get<TaskPage>('/api/v1/tasks?queue=full')).body.tasks.map((task) => task.status);
  await waitFor(async () => (await inQueue()).includes('success'), { what: 'the follow-up' });
  expect(await inQueue()).toEqual(['success']);
});

test('a kill is an end, too; one with children lets nothing follow', async () => {
  const daemon = await startDaemon();
  const sleeper = command('sleep', ['600'], then(command('true')));
  const [alone, together] = await Promise.all([submit(daemon, sleeper), submit(daemon, sleeper)]);
  await http(daemon.url).post(`/api/v1/tasks/${alone}/kill?grace_ms=0`);
  await http(daemon.url).post(`/api/v1/tasks/${together}/kill?grace_ms=0&children=true`);
  expect(await settled(daemon, alone)).toMatchObject([{ state: 'submitted' }]);
  expect(await settled(daemon, together)).toMatchObject([{ state: 'refused', error: { code: 'conflict' } }]);
});

test('an idempotency key that was used before names the task of its first use', async () => {
  const daemon = await startDaemon();
  const keyed = command('true', [], { control_context: { idempotency_key: 'k' } });
  const first = await submitAndWait(daemon, command('true', [], then(keyed)));
  const [once] = await settled(daemon, first.task_id);
  expect(once!.state).toBe('submitted');
  // The body has another parent, and so is another request.
  const second = await submitAndWait(daemon, command('true', [], then(keyed)));
  expect(await settled(daemon, second.task_id)).toMatchObject([
    { state: 'refused', error: { code: 'conflict' } },
  ]);
});

const deep = (levels: number): object =>
  levels === 0 ? command('true') : command('true', [], then(deep(levels - 1)));

const BAD: [object, string][] = [
  [{ on_end: {} }, 'policy.on_end: '],
  [{ on_end: [{}] }, 'policy.on_end.0.submit: '],
  [{ on_end: [{ submit: 'x' }] }, 'policy.on_end.0.submit: '],
  [{ on_end: [{ submit: {} }] }, 'policy.on_end.0.submit.execution: '],
  [{ on_end: [{ submit: command('') }] }, 'policy.on_end.0.submit.execution.program: is required'],
  [{ on_end: [{ submit: command('true'), then: 1 }] }, 'policy.on_end.0: has no field "then"'],
  [{ on_end: [{ submit: command('true'), when: ['done'] }] }, 'policy.on_end.0.when.0: '],
  [
    { on_end: [{ submit: command('true'), when: [] }] },
    'policy.on_end.0.when: must name a status or a cause',
  ],
  [{ on_end: Array(11).fill({ submit: command('true') }) }, 'policy.on_end: must have at most 10 entries'],
  [{ on_end: [{ submit: deep(8) }] }, 'policy.on_end.0.submit: must be followed by at most 7 others'],
  [
    { on_end: [{ submit: command('true', [], { control_context: { tenant: 'other' } }) }] },
    'policy.on_end.0.submit.control_context.tenant: must be that of the task that it follows, or none',
  ],
  [
    {
      on_end: [{ submit: command('true', [], then(command('true', [], { limits: { wall_time_ms: -1 } }))) }],
    },
    'policy.on_end.0.submit.policy.on_end.0.submit.limits.wall_time_ms: ',
  ],
];

test('bad input is refused by name, whatever depth it is at', async () => {
  const daemon = await startDaemon();
  for (const [policy, why] of BAD) {
    const answer = await http(daemon.url).post('/api/v1/tasks', command('true', [], { policy }));
    expect(answer.status, why).toBe(400);
    expect(answer.body.error.message).toContain(`invalid input: ${why}`);
  }
  const hook = { notify: [{ webhook: { url: 'https://example.com', secret_ref: null } }] };
  const inner = then(command('true', [], { policy: hook }));
  const refused = await http(daemon.url).post('/api/v1/tasks', command('true', [], inner));
  expect(refused.status).toBe(403);
  expect(refused.body.error.message).toContain('policy.on_end.0.submit.policy.notify.0.webhook.url: ');
  expect(await all(daemon)).toEqual([]);
  const odd = command(
    'true',
    [],
    then(command('true', [], { limit: {}, ...then(command('true', [], { x: 1 })) })),
  );
  const warned = await http(daemon.url).post('/api/v1/tasks', odd);
  expect(warned.body.warnings).toEqual([
    'unknown field policy.on_end.0.submit.limit was ignored',
    'unknown field policy.on_end.0.submit.policy.on_end.0.submit.x was ignored',
  ]);
  expect((await http(daemon.url).post('/api/v1/tasks', deep(7))).status).toBe(200);
});

test('flags of submit name files with what follows', async () => {
  const daemon = await startDaemon();
  const file = join(tempDir(), 'next.json');
  writeFileSync(file, JSON.stringify(command('true', [], { task_id: 'next' })));
  const cli = (...words: string[]) => execgo(['submit', ...words, '--', 'false'], { daemon });
  const done = await cli('--on-end', file, '--on-end-when', 'failed');
  expect(done).toMatchObject({ code: 0, stderr: '' });
  expect(await settled(daemon, done.stdout.trim())).toMatchObject([{ state: 'submitted', task_id: 'next' }]);
  expect(await cli('--on-end-when', 'failed')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--on-end-when goes with --on-end'),
  });
  expect(await cli('--on-end', join(tempDir(), 'none'))).toMatchObject({ code: 2 });
  writeFileSync(file, '{"execution": {}}');
  expect(await cli('--on-end', file)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('--on-end execution.kind: '),
  });
});
