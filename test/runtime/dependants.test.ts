import { expect, test } from 'vitest';
import { deleteTask } from '../../src/runtime/lifecycle/delete.js';
import { waitingOf } from '../../src/runtime/views/waiting-view.js';
import type { WaitingTask } from '../../src/store/records.js';
import { waitFor } from '../harness/wait.js';
import { subject, success } from './subject.js';

test('a task starts when all that it waits for is there, and says until then what that is', async () => {
  const s = await subject();
  await s.send('a', []);
  await s.send('b', []);
  await s.send('both', [{ task_id: 'a' }, { task_id: 'b', when: 'end' }]);
  const { core } = s;
  expect(waitingOf(core, core.store.tasks.get('both')!)).toMatchObject({
    reason: 'dependency',
    detail: 'starts after the success of "a" and the end of "b"',
    after: [
      { task_id: 'a', when: 'success', status: 'running' },
      { task_id: 'b', when: 'end', status: 'running' },
    ],
    after_count: 2,
  });
  expect([core.schedule.queued, core.schedule.waiting]).toEqual([0, 1]);
  expect(core.schedule.notYet.reasonOf('both')).toMatchObject({ reason: 'dependency' });
  await s.kill('b');
  await s.ends('b');
  await waitFor(() => core.schedule.dependencies.countOf('both') === 1);
  expect(waitingOf(core, core.store.tasks.get('both')!)).toMatchObject({
    detail: 'starts after the success of "a"',
  });
  await s.finish('a');
  await s.finish('both');
  expect(await s.ends('both')).toMatchObject({ status: 'success' });
  expect(s.types('both').filter((type) => type !== 'degraded')).toEqual([
    ...[
      'submitted',
      'accepted',
      'planned',
      'eligible',
      'resource_reserved',
      'started',
      'resource_released',
      'finished',
    ],
  ]);
  expect(core.store.dependencies.all()).toEqual([]);
});

test('what cannot start any more is cancelled, and so on down the graph; what waits for a failure starts', async () => {
  const s = await subject();
  await s.send('a', []);
  await s.send('b', success('a'));
  await s.send('c', success('b'));
  await s.send('else', [{ task_id: 'b', when: 'failure' }]);
  await s.send('always', [{ task_id: 'c', when: 'end' }]);
  await s.kill('a');
  expect(await s.ends('c')).toMatchObject({
    status: 'cancelled',
    cause: 'dependency',
    error: {
      code: 'dependency_failed',
      message: 'dependency failed: task b was cancelled, and this one starts only after its success',
      details: { task_id: 'b', when: 'success', status: 'cancelled' },
    },
  });
  expect(s.types('c').filter((type) => type !== 'degraded')).toEqual([
    'submitted',
    'accepted',
    'planned',
    'cancelled',
  ]);
  for (const id of ['else', 'always']) await s.finish(id);
  expect(await s.ends('b')).toMatchObject({ error: { details: { task_id: 'a', status: 'cancelled' } } });
  for (const id of ['else', 'always']) expect(await s.ends(id)).toMatchObject({ status: 'success' });
});

test('one that comes late is treated as one that came early, also when what it names was deleted', async () => {
  const s = await subject();
  for (const id of ['good', 'bad']) await s.send(id, []);
  await s.finish('good');
  await s.kill('bad');
  for (const id of ['good', 'bad']) {
    await s.ends(id);
    await s.send(`after ${id}`.replace(' ', '-'), success(id));
    await deleteTask(s.core, id, undefined);
    await s.send(`later-${id}`, success(id));
  }
  for (const id of ['after-bad', 'later-bad'])
    expect(await s.ends(id)).toMatchObject({ cause: 'dependency' });
  for (const id of ['after-good', 'later-good']) {
    expect(s.types(id)).not.toContain('eligible');
    await s.finish(id);
    expect(await s.ends(id)).toMatchObject({ status: 'success' });
  }
  await s.core.store.commits.write(() => {
    s.core.store.dependencies.forget('good');
  });
  await expect(s.send('too-late', success('good'))).rejects.toMatchObject({
    code: 'invalid_input',
    message:
      'invalid input: policy.after.0.task_id: there is no task good, and how one ended is not remembered',
  });
  expect(s.core.store.tasks.get('too-late')).toBeUndefined();
});

test('a task that others are still to be told of stays until they have been', async () => {
  const s = await subject();
  await s.send('a', []);
  await s.send('b', success('a'));
  await s.kill('a');
  await waitFor(() => s.core.live.get('a') === undefined);
  await deleteTask(s.core, 'a', undefined);
  expect(s.core.store.tasks.get('a')).toBeUndefined();
  expect(await s.ends('b')).toMatchObject({ cause: 'dependency' });
});

test('unknown tasks, itself, the same one twice and cycles are refused', async () => {
  const s = await subject({ slots: 1 });
  await s.send('busy', []);
  await s.send('a', success('busy'));
  await s.send('b', success('a'));
  await s.send('c', success('b'));
  const refused = (after: unknown) => s.send('new', after).catch((e: unknown) => (e as Error).message);
  expect(await refused(success('a', 'nobody'))).toContain('policy.after.1.task_id: there is no task nobody');
  expect(await refused(success('new'))).toContain('policy.after.0.task_id: the task would wait for itself');
  expect(await refused(success('a', 'a'))).toContain('policy.after.1.task_id: names task a a second time');
  expect(await refused([{ task_id: 'a', when: 'soon' }])).toContain('policy.after.0.when: ');
  expect(await refused([{ task_id: 'a', ref: 'b' }])).toContain('"ref" names another item of the same batch');
  expect(await refused([{ when: 'end' }])).toContain('policy.after.0.task_id: must be a text');
  expect(await refused('a')).toContain('policy.after: ');
  expect(await refused(Array.from({ length: 1001 }, (_, i) => ({ task_id: `t${i}` })))).toContain(
    'policy.after: must name at most 1000 tasks',
  );
  await expect(s.edit('a', { policy: { after: success('c') } })).rejects.toMatchObject({
    code: 'invalid_input',
    message: 'invalid input: policy.after: these tasks would wait for each other: a after c after b after a',
  });
  await expect(s.edit('a', { policy: { after: success('a') } })).rejects.toThrow('wait for itself');
  expect(s.core.store.dependencies.all()).toHaveLength(3);
});

test('what a task waits for can be changed, taken away and given while it waits', async () => {
  const s = await subject({ slots: 1 });
  await s.send('busy', []);
  await s.send('other', []);
  await s.send('t', success('busy'), { limits: { queue_timeout_ms: 600_000 } });
  await s.edit('t', { policy: { after: [...success('busy'), { task_id: 'other', when: 'end' }] } });
  expect(s.core.schedule.dependencies.countOf('t')).toBe(2);
  await s.edit('t', { policy: { after: null } });
  expect([s.core.schedule.queued, s.core.schedule.notYet.size]).toEqual([2, 0]);
  expect((s.core.store.tasks.get('t') as WaitingTask).eligible_ms).toBeDefined();
  await s.edit('t', { policy: { after: success('busy') } });
  expect([s.core.schedule.queued, s.core.schedule.notYet.size]).toEqual([1, 1]);
  await s.finish('busy');
  await s.ends('busy');
  await waitFor(() => s.types('t').includes('eligible'));
  // That one is not asked again: nobody need remember how it ended.
  await deleteTask(s.core, 'busy', undefined);
  await s.core.store.commits.write(() => {
    s.core.store.dependencies.forget('busy');
  });
  await s.edit('t', { policy: { after: success('busy', 'other') } });
  expect(s.core.schedule.dependencies.openOf('t')).toEqual(success('other'));
  await s.kill('other');
  expect(await s.ends('t')).toMatchObject({ cause: 'dependency' });
});

test('a task waits for as long as it must; only how long it waits for room is bounded', async () => {
  const s = await subject({ slots: 1 });
  await s.send('first', []);
  await s.send('t', success('first'), { limits: { queue_timeout_ms: 1 } });
  await s.send('second', []);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(s.status('t')).toBe('accepted');
  await s.finish('first');
  // The other one came to the queue before it.
  expect(await s.ends('t')).toMatchObject({ status: 'failed', cause: 'queue_timeout' });
  expect(s.status('second')).toBe('running');
});

test('a task that waits for others is killed and deleted as any other', async () => {
  const s = await subject();
  await s.send('a', []);
  await s.send('b', success('a'));
  await s.send('c', [{ task_id: 'b', when: 'failure' }]);
  await s.kill('b');
  expect(await s.ends('b')).toMatchObject({ status: 'cancelled', cause: 'cancelled' });
  await deleteTask(s.core, 'b', undefined);
  await s.finish('c');
  expect(await s.ends('c')).toMatchObject({ status: 'success' });
  expect([s.core.store.dependencies.all(), s.core.schedule.waiting]).toEqual([[], 0]);
});

test('tasks that wait for others have a bound of their own, and keep nobody out', async () => {
  const s = await subject({ slots: 1 });
  s.core.settings.maxQueuedTasks = 2;
  await s.send('busy', []);
  for (const id of ['a', 'b']) await s.send(id, success('busy'));
  await expect(s.send('c', success('busy'))).rejects.toMatchObject({ code: 'resource_limit_exceeded' });
  for (const id of ['d', 'e']) await s.send(id, []);
  await expect(s.edit('d', { policy: { after: success('busy') } })).rejects.toMatchObject({
    code: 'resource_limit_exceeded',
  });
  await s.finish('busy');
  await waitFor(() => s.core.schedule.queued >= 3);
});
