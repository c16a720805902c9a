import { expect, test } from 'vitest';
import { submitBatch } from '../../src/runtime/lifecycle/batch.js';
import { COMMAND, subject, success } from './subject.js';

test('items of a batch start after others of it, whatever their order', async () => {
  const s = await subject();
  for (const id of ['x', 'y', 'z', 'w']) s.world.works.set(id, [{ does: 'wait' }]);
  const answers = await submitBatch(s.core, s.intake, {
    tasks: [
      { task_id: 'x', execution: COMMAND, policy: { after: [{ ref: 'b' }, { ref: 'c', when: 'end' }] } },
      { task_id: 'y', ref: 'b', execution: COMMAND, policy: { after: [{ ref: 'c' }] } },
      { ref: 'c', execution: COMMAND },
    ],
  });
  expect(answers.map((answer) => 'status' in answer)).toEqual([true, true, true]);
  const id = (answers[2] as { task_id: string }).task_id;
  expect(s.core.store.tasks.get('x')?.request.policy.after).toEqual([
    { task_id: 'y', when: 'success' },
    { task_id: id, when: 'end' },
  ]);
  expect(JSON.parse(s.core.store.tasks.sent('x')!)).toMatchObject({
    policy: { after: [{ task_id: 'y' }, { task_id: id, when: 'end' }] },
  });
  expect(JSON.parse(s.core.store.tasks.sent('y')!)).not.toHaveProperty('ref');
});

test('with an item of a batch those are refused that start after it', async () => {
  const s = await subject();
  await s.send('taken', []);
  const item = (more: object, ...refs: string[]) => ({
    ...{ execution: COMMAND, policy: { after: refs.map((ref) => ({ ref })) } },
    ...more,
  });
  const answers = await submitBatch(s.core, s.intake, {
    tasks: [
      item({ ref: 'a', task_id: 'taken' }),
      item({ ref: 'b', task_id: 'b' }, 'a'),
      item({ task_id: 'c' }, 'b'),
      item({ ref: 'p' }, 'q'),
      item({ ref: 'q' }, 'p'),
      item({ task_id: 'after-cycle' }, 'q'),
      item({ ref: 'self' }, 'self'),
      item({}, 'nobody'),
      item({ ref: 'twice' }),
      item({ ref: 'twice' }),
      item({ ref: 7 }),
      item({ ref: 'odd', execution: {} }),
      item({ task_id: 'd' }, 'odd'),
      item({ task_id: 'fine' }),
      item({ task_id: 'e' }, 'twice', 'twice'),
    ],
  });
  const said = answers.map((answer) => ('error' in answer ? answer.error.message : 'accepted'));
  expect(said).toEqual([
    'task already exists: taken',
    'invalid input: policy.after: item "a" of this batch was not accepted',
    'invalid input: policy.after: item "b" of this batch was not accepted',
    'invalid input: policy.after: items of this batch would wait for each other: "q" after "p" after "q"',
    'invalid input: policy.after: items of this batch would wait for each other: "p" after "q" after "p"',
    expect.stringContaining('items of this batch would wait for each other'),
    'invalid input: policy.after: items of this batch would wait for each other: "self" after "self"',
    'invalid input: policy.after.0.ref: no item of this batch is called "nobody"',
    'accepted',
    'invalid input: ref: item 8 of this batch is called "twice", too',
    'invalid input: ref: must be a text',
    expect.stringContaining('execution.kind'),
    'invalid input: policy.after: item "odd" of this batch was not accepted',
    'accepted',
    'invalid input: policy.after.1.ref: names "twice" a second time',
  ]);
  expect(answers[3]).not.toHaveProperty('task_id');
  for (const id of ['b', 'c', 'd', 'e', 'after-cycle']) expect(s.core.store.tasks.get(id)).toBeUndefined();
});

test('a batch with keys that is sent again gives the same answers', async () => {
  const s = await subject();
  const item = (key: string, ref: string, ...refs: string[]) => ({
    ...{ ref, execution: COMMAND, control_context: { idempotency_key: key } },
    policy: { after: refs.map((name) => ({ ref: name })) },
  });
  const tasks = [item('3', 'c', 'b', 'a'), item('2', 'b', 'a'), item('1', 'a')];
  const first = await submitBatch(s.core, s.intake, { tasks });
  const [c, b, a] = first.map((answer) => answer.task_id);
  expect(s.core.store.tasks.get(c!)?.request.policy.after).toEqual(success(b!, a!));
  expect(await submitBatch(s.core, s.intake, { tasks })).toEqual(first);
  const [other] = await submitBatch(s.core, s.intake, { tasks: [item('1', 'other name')] });
  expect(other).toMatchObject({ error: { code: 'conflict' } });
});
