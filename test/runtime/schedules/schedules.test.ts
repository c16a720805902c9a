import { mkdirSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { taskIdOfDue } from '../../../src/runtime/schedules/body-of-due.js';
import { deleteSchedule, editSchedule, makeSchedule } from '../../../src/runtime/schedules/change.js';
import { scheduleView } from '../../../src/runtime/schedules/schedule-view.js';
import { FakeWorld } from '../../executor/fake-world.js';
import { startRuntime } from '../../executor/runtime.js';
import { tempDir } from '../../harness/temp-dir.js';
import { waitFor } from '../../harness/wait.js';

const TASK = { execution: { kind: 'command', program: '/bin/true' } } as const;
const HOUR_MS = 3_600_000;
const START = Date.parse('2027-03-01T00:00:00Z');

/** A runtime whose wall clock stands until it is set; its tasks run until they are finished. */
async function runtime() {
  const dataDir = tempDir();
  for (const dir of ['tasks', 'supervisor', 'trash', 'sessions']) mkdirSync(`${dataDir}/${dir}`);
  const world = new FakeWorld();
  for (let half = 0; half < 300; half++)
    world.works.set(taskIdOfDue('s', START + (half * HOUR_MS) / 2), [{ does: 'wait' }]);
  const clock = { ms: START };
  const now = () => clock.ms;
  let made = await startRuntime(dataDir, 9, (events) => world.open(events), { now });
  onTestFinished(async () => {
    await made.leave();
    world.remove();
  });
  const shown = (name: string) => scheduleView(made.core, name);
  return {
    clock,
    world,
    core: () => made.core,
    make: (body: object) => makeSchedule(made.core, { name: 's', interval_ms: HOUR_MS, task: TASK, ...body }),
    edit: (body: object) => editSchedule(made.core, 's', body, undefined),
    shown,
    /** Sets the clock, lets what is due be done, and tells what became of the due times, oldest first. */
    at: async (hours: number, what: (outcomes: string[]) => boolean) => {
      clock.ms = START + hours * HOUR_MS;
      made.core.schedules.start();
      const told = () =>
        shown('s')
          .runs.map(({ due_at, outcome }) => `${(Date.parse(due_at) - START) / HOUR_MS} ${outcome}`)
          .reverse();
      await waitFor(() => what(told()), { what: `the due times until ${hours}` });
      return told();
    },
    restart: async () => {
      await made.leave();
      made = await startRuntime(dataDir, 9, (events) => world.open(events), { now });
    },
  };
}

test('a change while a due time is decided of leaves nothing out and nothing twice', async () => {
  const { make, edit, at, clock, core, shown } = await runtime();
  await make({ overlap: 'queue' });
  clock.ms = START + HOUR_MS;
  core().schedules.start();
  // Both are in one transaction, in either order.
  await Promise.all(
    [edit({ grace_ms: 5000 }), edit({ grace_ms: 6000 })].map((e) => e.catch(() => undefined)),
  );
  expect(await at(1, (all) => all.includes('1 submitted'))).toEqual(['1 submitted']);
  expect(shown('s').next[0]).toBe('2027-03-01T02:00:00.000Z');
  expect(await at(2, (all) => all.length === 2)).toEqual(['1 submitted', '2 waiting']);
});

test('a new time on a clock that was set back does not give a due time again', async () => {
  const { make, edit, at, clock, shown } = await runtime();
  await make({ interval_ms: undefined, cron: '0 * * * *', overlap: 'queue' });
  await at(1, (all) => all.includes('1 submitted'));
  await at(2, (all) => all.length === 2);
  clock.ms = START;
  await edit({ cron: '0,30 * * * *' });
  expect(shown('s').next[0]).toBe('2027-03-01T02:30:00.000Z');
  expect(await at(1.5, () => true)).toEqual(['1 submitted', '2 waiting']);
  expect(await at(2.5, (all) => all.length === 3)).toEqual(['1 submitted', '2 waiting', '2.5 waiting']);
});

test('what waits stays over a pause and a restart, and goes with its schedule', async () => {
  const { make, edit, at, world, core, restart, shown } = await runtime();
  await make({ overlap: 'queue' });
  await at(1, (all) => all.includes('1 submitted'));
  await at(2, (all) => all.length === 2);
  await edit({ paused: true });
  await restart();
  const [first = ''] = shown('s').running;
  expect(first).toBe('s.20270301T010000Z');
  await waitFor(() => core().live.get(first)?.phase.name === 'started', { what: 'the start' });
  world.finishAll();
  await waitFor(() => shown('s').running.length === 0, { what: 'the end' });
  expect(await at(9, () => true)).toEqual(['1 submitted', '2 waiting']);
  await edit({ paused: false });
  await waitFor(() => shown('s').running.length === 1, { what: 'the next' });
  expect([shown('s').running, shown('s').next[0]]).toEqual([
    ['s.20270301T020000Z'],
    '2027-03-01T10:00:00.000Z',
  ]);
  await at(10, (all) => all.length === 3);
  await deleteSchedule(core(), 's', undefined);
  await waitFor(
    () => {
      world.finishAll();
      return core().live.all().next().done === true;
    },
    { what: 'the end' },
  );
  expect([core().store.schedules.waiting(), core().store.schedules.all()]).toEqual([[], []]);
});

test('history is bounded, and a task that has run for long is known over a restart all the same', async () => {
  const { make, at, restart, shown, core } = await runtime();
  await make({ overlap: 'skip' });
  await at(1, (all) => all.includes('1 submitted'));
  for (let hour = 2; hour <= 130; hour++) await at(hour, (all) => all.at(-1) === `${hour} skipped`);
  await restart();
  expect(shown('s').running).toEqual(['s.20270301T010000Z']);
  const { schedule_id } = core().schedules.get('s')!.stored;
  const kept = core().store.schedules.runs(schedule_id, 1000);
  expect([kept.length, kept.at(-1)?.outcome]).toEqual([101, 'submitted']);
  expect(await at(131, (all) => all.at(-1) === '131 skipped')).toContain('131 skipped');
});

test('that the id of a due time is taken is told, and stops nothing', async () => {
  const { make, at, core, shown, clock } = await runtime();
  await make({});
  await at(1, (all) => all.includes('1 submitted'));
  await waitFor(() => core().live.get('s.20270301T010000Z')?.phase.name === 'started', { what: 'the start' });
  await deleteSchedule(core(), 's', undefined);
  // The same due time of one that has the same name, by a clock that was set back.
  clock.ms = START;
  await make({ interval_ms: HOUR_MS });
  expect(await at(1, (all) => all.at(-1) === '1 refused')).toEqual(['1 refused']);
  expect(shown('s').runs[0]?.error).toEqual({
    ...{ code: 'conflict', message: 'task already exists: s.20270301T010000Z' },
  });
  expect(await at(2, (all) => all.at(-1) === '2 submitted')).toEqual(['1 refused', '2 submitted']);
});
