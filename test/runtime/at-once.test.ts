import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { killTask } from '../../src/runtime/lifecycle/kill.js';
import { submitBatch } from '../../src/runtime/lifecycle/batch.js';
import { submit } from '../../src/runtime/lifecycle/submit.js';
import { FakeWorld } from '../executor/fake-world.js';
import { startRuntime } from '../executor/runtime.js';
import { tempDir } from '../harness/temp-dir.js';
import { waitFor } from '../harness/wait.js';
import type { WaitingTask } from '../../src/store/records.js';
import { submitSchema, type TaskSubmission } from '../../src/task/request.js';

/** A runtime whose tasks run until they are killed. */
async function runtime({ slots = 1, isPlaced = true } = {}) {
  const dataDir = tempDir();
  for (const dir of ['tasks', 'supervisor', 'trash', 'sessions']) mkdirSync(join(dataDir, dir));
  const world = new FakeWorld();
  world.withholdsPlaces = !isPlaced;
  const { core, intake, leave } = await startRuntime(dataDir, slots, (events) => world.open(events));
  onTestFinished(async () => {
    await leave();
    world.remove();
  });
  const request = (task_id: string, more: Partial<TaskSubmission> = {}) => {
    world.works.set(task_id, [{ does: 'run' }]);
    return { task_id, execution: { kind: 'command', program: '/bin/true' }, ...more };
  };
  /** The status that is committed when the submit is answered. */
  const send = async (task_id: string, more: Partial<TaskSubmission> = {}) => {
    await submit(core, intake, request(task_id, more));
    return core.store.tasks.get(task_id)?.status;
  };
  const isTold = (id: string) => world.runsOf(id).length > 0;
  const runs = (id: string) => waitFor(() => isTold(id), { what: `the launch of ${id}` });
  const end = async (id: string) => {
    await killTask(core, core.live.get(id)!, { grace_ms: 0 });
    await waitFor(() => core.live.get(id) === undefined, { what: `the end of ${id}` });
  };
  const types = (id: string) => core.store.events.ofTask(id, 0, undefined).map((e) => e.event_type);
  return { core, intake, dataDir, world, request, send, runs, end, types };
}

test('what has room is running when its submit is answered; what has not waits for its turn', async () => {
  const { core, send, runs, end, types } = await runtime();
  expect(await send('first')).toBe('running');
  expect(types('first')).toEqual(['submitted', 'accepted', 'planned', 'resource_reserved']);
  expect(core.store.counters.read().entered).toMatchObject({ accepted: 1, running: 1 });
  await runs('first');
  expect(await send('second')).toBe('accepted');
  await end('first');
  await runs('second');
  expect(types('second').slice(0, 4)).toEqual(['submitted', 'accepted', 'planned', 'resource_reserved']);
  await end('second');
  expect(core.schedule.ledger.entries()).toEqual([]);
});

test('of what comes in one transaction no more starts than has room, in order', async () => {
  const { core, intake, request, runs, end } = await runtime({ slots: 2 });
  const ids = ['a', 'b', 'c', 'd'];
  await submitBatch(core, intake, { tasks: ids.map((id, i) => request(id, { policy: { priority: i } })) });
  expect(ids.map((id) => core.store.tasks.get(id)?.status)).toEqual([
    ...['running', 'running'],
    ...['accepted', 'accepted'],
  ]);
  await runs('b');
  await end('b');
  await runs('d');
  expect(core.store.tasks.get('c')?.status).toBe('accepted');
});

test('what a starving task needs is not taken', async () => {
  const { core, request, send, runs } = await runtime({ slots: 2 });
  const claim = { tenant: undefined, queue: 'default', lane: undefined, reservation: { task_slots: 1 } };
  core.schedule.ledger.reserve('other', claim, 0);
  const late = { task_id: 'late', submit_seq: -1, reservation: { task_slots: 2 } };
  const record = { ...late, request: submitSchema.parse({ ...request('late'), policy: { priority: -1 } }) };
  core.schedule.add({ record: record as WaitingTask, mayStartAt: 0, place: -1 });
  expect(await send('young', { policy: { priority: 100 } })).toBe('accepted');
  core.schedule.withdraw('late');
  expect(await send('younger')).toBe('accepted');
  await runs('young');
});

test('a task that could not be written down gives its share back to those that wait', async () => {
  const { core, intake, dataDir, request, send, runs, end } = await runtime({ slots: 2 });
  expect(await send('ended')).toBe('running');
  await runs('ended');
  await end('ended');
  const [taken, other] = await Promise.allSettled([submit(core, intake, request('ended')), send('other')]);
  expect([taken.status, other.status]).toEqual(['rejected', 'fulfilled']);
  expect(core.schedule.ledger.entries().map((entry) => entry.task_id)).toEqual(['other']);

  renameSync(join(dataDir, 'tasks'), join(dataDir, 'moved'));
  writeFileSync(join(dataDir, 'tasks'), '');
  await expect(send('no-files')).rejects.toThrow('ENOTDIR');
  expect(core.store.tasks.get('no-files')).toBeUndefined();
  expect(core.schedule.ledger.entries()).toHaveLength(1);
  rmSync(join(dataDir, 'tasks'));
  renameSync(join(dataDir, 'moved'), join(dataDir, 'tasks'));
  expect(await send('no-files')).toBe('running');
});

test('without a place, and once the daemon is on its way out, nothing starts', async () => {
  const { core, world, send, runs } = await runtime({ isPlaced: false });
  expect(await send('early')).toBe('accepted');
  world.withholdsPlaces = false;
  await runs('early');

  const leaving = await runtime();
  const submitted = leaving.send('late');
  leaving.core.schedule.accepting = false;
  expect(await submitted).toBe('accepted');
  expect(core.schedule.ledger.entries()).toHaveLength(1);
  expect(leaving.core.schedule.ledger.entries()).toEqual([]);
});

test('a launch at once whose place has died without a word is given to the next', async () => {
  const { core, world, send, types } = await runtime();
  const sent = send('task');
  // It learns of that a moment later: the launch is committed before, nearly always.
  await world.crash(core.executor.place!);
  await sent;
  await waitFor(() => world.runsOf('task').some(({ place }) => place.incarnation === 'place-2'));
  expect(core.store.tasks.get('task')).toMatchObject({ attempt: { incarnation: 'place-2' } });
  expect(types('task').filter((type) => type === 'resource_reserved')).toHaveLength(1);
});
