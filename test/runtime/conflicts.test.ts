import { mkdirSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { killTask } from '../../src/runtime/lifecycle/kill.js';
import { submit } from '../../src/runtime/lifecycle/submit.js';
import { waitingOf } from '../../src/runtime/views/waiting-view.js';
import { FakeWorld } from '../executor/fake-world.js';
import { startRuntime, type RuntimeUnderTest } from '../executor/runtime.js';
import { tempDir } from '../harness/temp-dir.js';
import { waitFor } from '../harness/wait.js';

type OnConflict = 'wait' | 'replace_waiting' | 'cancel_running' | 'reject';

/** A runtime with many slots, whose tasks run until they are killed. */
async function subject() {
  const dataDir = tempDir();
  for (const dir of ['tasks', 'supervisor', 'trash', 'sessions']) mkdirSync(`${dataDir}/${dir}`);
  const world = new FakeWorld({ ownGraceMs: 1 });
  let runtime: RuntimeUnderTest;
  const start = async () => {
    runtime = await startRuntime(dataDir, 100, (events) => world.open(events));
  };
  await start();
  onTestFinished(async () => {
    await runtime.leave();
    world.remove();
  });
  const send = (
    task_id: string,
    on_conflict: OnConflict = 'wait',
    more: object = {},
    limit = 1,
    key = 'k',
  ) => {
    world.works.set(task_id, [{ does: 'run' }]);
    const policy = { concurrency: { key, limit, on_conflict } };
    const execution = { kind: 'command', program: '/bin/true' };
    return submit(runtime.core, runtime.intake, { task_id, execution, policy, ...more });
  };
  const status = (id: string) => runtime.core.store.tasks.get(id)?.status;
  const becomes = (id: string, wanted: string) =>
    waitFor(() => status(id) === wanted, { what: `${id} to be ${wanted}` });
  const kill = (id: string) => killTask(runtime.core, runtime.core.live.get(id)!, { grace_ms: 0 });
  const restart = async () => {
    await runtime.leave();
    await start();
  };
  return { core: () => runtime.core, send, status, becomes, kill, restart };
}

const tenant = (name: string) => ({ control_context: { tenant: name } });

test('as many with a key run as each allows; the others wait, and say so', async () => {
  const { core, send, status, becomes, kill } = await subject();
  for (const id of ['a', 'b', 'c']) await send(id, 'wait', {}, 2);
  await send('one', 'wait', {}, 1);
  await send('other', 'wait', {}, 1, 'other');
  await send('theirs', 'wait', tenant('t'), 1);
  expect(['a', 'b', 'c', 'one', 'other', 'theirs'].map(status)).toEqual([
    ...['running', 'running', 'accepted', 'accepted', 'running', 'running'],
  ]);
  expect(waitingOf(core(), core().store.tasks.get('c')!)).toMatchObject({
    reason: 'concurrency',
    detail: 'as many tasks with concurrency key "k" run as it allows: 2',
    lack: { of: 'concurrency', resource: 'task_slots', requested: 1, free: 0, limit: 2 },
  });
  await kill('a');
  await becomes('c', 'running');
  await kill('b');
  await becomes('b', 'cancelled');
  expect(status('one')).toBe('accepted');
  await kill('c');
  await becomes('one', 'running');
});

test('reject: one too many is refused, and leaves nothing; also when they come at once', async () => {
  const { core, send, status, becomes, kill } = await subject();
  const answers = await Promise.allSettled(['a', 'b', 'c'].map((id) => send(id, 'reject', {}, 2)));
  expect(answers.map((answer) => answer.status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
  expect(answers[2]).toMatchObject({
    reason: {
      code: 'concurrency_conflict',
      httpStatus: 409,
      message: 'as many tasks with concurrency key "k" wait or run as this one allows: 2',
      details: { key: 'k', limit: 2, tasks: ['a', 'b'] },
    },
  });
  expect(status('c')).toBeUndefined();
  await send('theirs', 'reject', tenant('t'));
  await kill('a');
  await becomes('a', 'cancelled');
  await waitFor(() => core().live.get('a') === undefined);
  await send('c', 'reject', {}, 2);
});

test('replace_waiting: the newest waits in the place of older ones, which are cancelled', async () => {
  const { core, send, status, becomes } = await subject();
  await send('running', 'replace_waiting');
  await send('plain');
  await send('first', 'replace_waiting');
  await becomes('plain', 'cancelled');
  await send('second', 'replace_waiting');
  await becomes('first', 'cancelled');
  expect(core().store.tasks.get('first')).toMatchObject({
    cause: 'cancelled',
    error: {
      code: 'cancelled',
      message: 'task cancelled before execution: task second with concurrency key "k" has come in its place',
      details: { replaced_by: 'second' },
    },
  });
  expect([status('running'), status('second')]).toEqual(['running', 'accepted']);
});

test('cancel_running: as many of the oldest are cancelled as are too many', async () => {
  const { send, status, becomes } = await subject();
  for (const id of ['a', 'b', 'waits']) await send(id, 'wait', {}, 2);
  await send('new', 'cancel_running', {}, 2);
  await becomes('new', 'running');
  expect(['a', 'b', 'waits'].map(status)).toEqual(['cancelled', 'running', 'cancelled']);
  await send('alone', 'cancel_running', {}, 1);
  await becomes('alone', 'running');
  expect(['b', 'new'].map(status)).toEqual(['cancelled', 'cancelled']);
});

test('nobody takes the place of what others alone may cancel', async () => {
  const { send, status, becomes } = await subject();
  const owner = (name: string) => ({ control_context: { owner: name } });
  await send('mine', 'wait', owner('me'));
  for (const on of ['replace_waiting', 'cancel_running'] as const)
    for (const more of [{}, owner('you')])
      await expect(send('new', on, more)).rejects.toMatchObject({ code: 'permission_denied' });
  expect(status('new')).toBeUndefined();
  await send('next', 'cancel_running', owner('me'));
  await becomes('next', 'running');
  expect(status('mine')).toBe('cancelled');
});

test('a task that starts after others takes the place of none before it may start', async () => {
  const { core, send, status, becomes, kill } = await subject();
  await send('running');
  await send('gate', 'wait', {}, 1, 'gate');
  const policy = {
    concurrency: { key: 'k', on_conflict: 'cancel_running' },
    after: [{ task_id: 'gate', when: 'end' }],
  };
  await send('late', 'wait', { policy });
  expect(status('running')).toBe('running');
  expect(core().schedule.notYet.has('late')).toBe(true);
  await kill('gate');
  await becomes('late', 'running');
  expect(status('running')).toBe('cancelled');
});

test('what follows from the coming of a task follows also when the daemon has died before', async () => {
  const { core, send, status, becomes, restart } = await subject();
  await send('running');
  await send('first');
  // As if it had died behind the commit.
  core().dispatcher.onQueued(() => undefined);
  await send('second', 'replace_waiting');
  expect([status('first'), status('second')]).toEqual(['accepted', 'accepted']);
  await restart();
  await becomes('first', 'cancelled');
  expect([status('running'), status('second')]).toEqual(['running', 'accepted']);
  core().dispatcher.onQueued(() => undefined);
  await send('third', 'cancel_running');
  await restart();
  await becomes('third', 'running');
  expect([status('running'), status('second')]).toEqual(['cancelled', 'cancelled']);
});
