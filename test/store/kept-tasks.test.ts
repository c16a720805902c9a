import { expect, onTestFinished, test } from 'vitest';
import { OLDEST } from '../../src/store/tasks/kept-tasks.js';
import { openStore } from '../../src/store/open.js';
import { tempDir } from '../harness/temp-dir.js';
import { insert, NOW, runThrough } from './support.js';

/** A store whose clocks the test sets. */
function clockedStore(dataDir = tempDir()) {
  const clocks = { wall: NOW, uptime: 1000 };
  const store = openStore({
    dataDir,
    now: () => clocks.wall,
    uptimeMs: () => clocks.uptime,
    bootId: 'b',
  });
  onTestFinished(() => store.close());
  return { store, clocks, dataDir };
}

const PINNED = { metadata: { 'execgo.pin': 'true' } };

test('ended tasks come oldest first, by the retention clock; live and pinned ones never', async () => {
  const { store, clocks } = clockedStore();
  await insert(store, 'waits');
  for (const id of ['b', 'a', 'c']) {
    clocks.uptime += 10;
    clocks.wall -= 1_000_000;
    await runThrough(store, id);
  }
  await runThrough(store, 'pinned', undefined, PINNED);
  await runThrough(store, 'unpinned', undefined, { metadata: { 'execgo.pin': 'false' } });
  const kept = (after = OLDEST, limit = 10) => store.kept.page(after, limit).map((t) => t.task_id);
  expect(kept()).toEqual(['b', 'a', 'c', 'unpinned']);
  expect(kept(OLDEST, 1)).toEqual(['b']);
  expect(kept(store.kept.page(OLDEST, 1)[0])).toEqual(['a', 'c', 'unpinned']);
  expect(store.kept.page(OLDEST, 1)[0]).toMatchObject({ ages_from_ms: NOW + 10, disk_bytes: null });
  expect([store.kept.pinnedUpTo(NOW + 29), store.kept.pinnedUpTo(NOW + 30)]).toEqual([0, 1]);
});

test('what is kept is counted as it comes and goes, also across a restart', async () => {
  const { store, dataDir } = clockedStore();
  const write = (fn: () => unknown) => store.commits.write(fn);
  for (const id of ['a', 'b']) await runThrough(store, id);
  await runThrough(store, 'pinned', undefined, PINNED);
  await insert(store, 'waits');
  expect(store.kept.totals()).toEqual({ tasks: 2, bytes: 0 });
  expect(store.kept.unmeasured(OLDEST, 1)).toMatchObject({ taskIds: ['a'], next: { ages_from_ms: NOW } });
  for (const bytes of [700, 5]) await write(() => store.kept.setDiskBytes('a', bytes));
  for (const id of ['pinned', 'waits', 'unknown']) await write(() => store.kept.setDiskBytes(id, 900));
  expect(store.kept.totals()).toEqual({ tasks: 2, bytes: 700 });
  expect(store.kept.unmeasured(OLDEST, 10)).toEqual({ taskIds: ['b'], next: undefined });
  store.close();
  const { store: again } = clockedStore(dataDir);
  expect(again.kept.totals()).toEqual({ tasks: 2, bytes: 700 });
  for (const id of ['a', 'b', 'pinned', 'waits']) await again.commits.write(() => again.changes.delete(id));
  expect(again.kept.totals()).toEqual({ tasks: 0, bytes: 0 });
});

test('a write that is rolled back is not counted', async () => {
  const { store } = clockedStore();
  await runThrough(store, 'a');
  const failing = store.commits.write(() => {
    store.changes.delete('a');
    throw new Error('no');
  });
  await expect(Promise.all([failing, insert(store, 'x')])).rejects.toThrow('no');
  expect(store.kept.totals()).toEqual({ tasks: 1, bytes: 0 });
  expect(store.tasks.has('a')).toBe(true);
});

test('clock and policy are kept', async () => {
  const { store, clocks, dataDir } = clockedStore();
  expect(store.kept.policy()).toBeUndefined();
  const policy = { maxAgeMs: 5, maxTasks: 6, maxBytes: undefined };
  clocks.uptime += 100;
  await store.commits.write(() => {
    store.kept.savePolicy(policy);
    store.kept.saveClock();
  });
  store.close();
  const { store: again } = clockedStore(dataDir);
  expect(again.kept.policy()).toEqual({ maxAgeMs: 5, maxTasks: 6 });
  // The second store's boot is younger than the mark, and its wall clock stands where it stood.
  expect(again.kept.clock.now()).toBe(NOW + 100);
});

test('ids are listed a page at a time', async () => {
  const { store } = clockedStore();
  for (const id of ['b', 'a', 'C']) await insert(store, id);
  expect([store.tasks.ids('', 2), store.tasks.ids('a', 2), store.tasks.ids('b', 2)]).toEqual([
    ['C', 'a'],
    ['b'],
    [],
  ]);
  expect([store.tasks.has('a'), store.tasks.has('c')]).toEqual([true, false]);
});
