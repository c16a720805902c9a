import { mkdirSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { editTask } from '../../src/runtime/lifecycle/edit.js';
import { killTask } from '../../src/runtime/lifecycle/kill.js';
import { submit } from '../../src/runtime/lifecycle/submit.js';
import { NotYet } from '../../src/runtime/not-yet.js';
import { FakeWorld } from '../executor/fake-world.js';
import { startRuntime } from '../executor/runtime.js';
import type { Work } from '../executor/world.js';
import { tempDir } from '../harness/temp-dir.js';
import { waitFor } from '../harness/wait.js';

const EXECUTION = { kind: 'command', program: '/bin/true' } as const;

/** A runtime with one slot that is taken, and that can be left and started again. */
async function runtime() {
  const dataDir = tempDir();
  for (const dir of ['tasks', 'supervisor', 'trash', 'sessions']) mkdirSync(`${dataDir}/${dir}`);
  const world = new FakeWorld();
  let made = await startRuntime(dataDir, 1, (events) => world.open(events));
  onTestFinished(async () => {
    await made.leave();
    world.remove();
  });
  const send = (task_id: string, policy: object = {}, work: Work = { does: 'run' }) => {
    world.works.set(task_id, [work]);
    return submit(made.core, made.intake, { task_id, execution: EXECUTION, policy });
  };
  const edit = (id: string, policy: object) => editTask(made.core, made.intake, id, { policy }, undefined);
  const kill = async (id: string) => {
    const task = made.core.live.get(id);
    if (task !== undefined) await killTask(made.core, task, { grace_ms: 0 });
  };
  const order = () => made.core.schedule.nextOf('default', 10).map(({ task_id }) => task_id);
  const restart = async () => {
    await made.leave();
    made = await startRuntime(dataDir, 1, (events) => world.open(events));
  };
  await send('busy');
  return { send, edit, kill, order, restart, core: () => made.core };
}

test('who may start only now comes behind those that could before, and so it is after a restart', async () => {
  const { send, edit, order, restart, core } = await runtime();
  await send('held-1', { hold: true });
  await send('first');
  await send('held-2', { hold: true });
  await send('held-urgent', { hold: true, priority: 1 });
  await send('soon', { start_at: new Date(Date.now() + 300).toISOString() });
  await send('second');
  expect(order()).toEqual(['first', 'second']);
  await waitFor(() => core().schedule.notYet.size === 3, { what: 'the time of one' });
  for (const id of ['held-2', 'held-1', 'held-urgent']) await edit(id, { hold: false });
  // Dates have milliseconds, and the one that comes now is later than all of that.
  const released = core().store.tasks.get('held-urgent')!.updated_at_ms;
  await waitFor(() => Date.now() > released, { what: 'the next millisecond' });
  await send('third');
  const expected = ['held-urgent', 'first', 'second', 'soon', 'held-2', 'held-1', 'third'];
  expect(order()).toEqual(expected);
  // A change of something else keeps the place.
  await edit('held-2', { priority: 5 });
  await edit('held-2', { priority: 0 });
  expect(order()).toEqual(expected);
  await restart();
  expect(order().filter((id) => id !== 'held-1' && id !== 'held-2')).toEqual(
    expected.filter((id) => id !== 'held-1' && id !== 'held-2'),
  );
  expect(new Set(order())).toEqual(new Set(expected));
  expect(order().indexOf('held-1')).toBeGreaterThan(order().indexOf('soon'));
});

test('a task that is tried again comes behind those that wait, so that the order in a queue is that of age', async () => {
  const { core, kill, order, restart, send } = await runtime();
  await send('failing', { retry: { max_attempts: 3, backoff_ms: 300 } }, { does: 'exit', code: 1 });
  for (const id of ['busy-too', 'one']) await send(id);
  await kill('busy');
  await waitFor(() => core().schedule.notYet.reasonOf('failing')?.reason === 'retry_backoff', {
    what: 'the back-off',
  });
  expect(order()).toEqual(['one']);
  await waitFor(() => core().schedule.notYet.size === 0, { what: 'the end of the back-off' });
  // The system tells the time since boot in hundredths of a second.
  const due = Date.now();
  await waitFor(() => Date.now() > due + 20, { what: 'a later moment' });
  await send('two');
  for (const again of [false, true]) {
    if (again) await restart();
    expect(order()).toEqual(['one', 'failing', 'two']);
    const ages = core()
      .schedule.nextOf('default', 10)
      .map(({ accepted_at_ms }) => accepted_at_ms);
    expect(ages).toEqual([...ages].sort((a, b) => a - b));
  }
});

test('a kill and a release that meet leave one end', async () => {
  const { send, edit, kill, core } = await runtime();
  await send('held', { hold: true });
  await Promise.allSettled([edit('held', { hold: false }), kill('held')]);
  await waitFor(() => core().store.tasks.status('held') === 'cancelled', { what: 'the end' });
  expect([core().schedule.notYet.size, core().schedule.queued]).toEqual([0, 0]);
});

test('those whose time comes at once are taken in the order of their times, then of their submits', () => {
  const later = new NotYet();
  const start = (atMs: number) => ({ reason: 'start_at', until: { clock: 'now', atMs } }) as const;
  const backOff = (atMs: number) => ({ reason: 'retry_backoff', until: { clock: 'lasting', atMs } }) as const;
  const entries = [
    { task_id: 'c', submit_seq: 1, ...start(20) },
    { task_id: 'held', submit_seq: 2, reason: 'held' } as const,
    { task_id: 'b', submit_seq: 4, ...start(10) },
    { task_id: 'a', submit_seq: 3, ...start(10) },
    { task_id: 'retried', submit_seq: 5, ...backOff(5) },
  ];
  for (const entry of entries) later.add(entry);
  expect([later.size, later.nextMs('now'), later.nextMs('lasting')]).toEqual([5, 10, 5]);
  expect(later.takeDue('now', 9, 10)).toEqual([]);
  expect(later.takeDue('now', 20, 2)).toEqual(['a', 'b']);
  expect(later.takeDue('now', 20, 2)).toEqual(['c']);
  expect([later.nextMs('now'), later.takeDue('now', Number.MAX_SAFE_INTEGER, 10)]).toEqual([undefined, []]);
  expect(later.takeDue('lasting', 5, 10)).toEqual(['retried']);
  later.add({ task_id: 'held', submit_seq: 2, ...start(30) });
  expect([later.size, later.nextMs('now')]).toEqual([1, 30]);
  later.delete('held');
  later.delete('held');
  expect([later.size, later.has('held')]).toEqual([0, false]);
});
