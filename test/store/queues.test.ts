import { expect, test } from 'vitest';
import type { QueueRule } from '../../src/task/queues.js';
import { tempDir } from '../harness/temp-dir.js';
import { OldDatabase } from './old-database.js';
import { CANCELLED, insert, NOW, openedStore, rawDatabase, runThrough, waiting } from './support.js';

const RULE: QueueRule = {
  max_running: 2,
  max_waiting: 0,
  paused: true,
  priority: -5,
  default_limits: { wall_time_ms: 0, memory_bytes: 1024 },
  lanes: { 'a/b': { max_running: 1 }, constructor: { max_running: 0 } },
};
const BARE: QueueRule = { paused: false, priority: 0, default_limits: {}, lanes: {} };

test('a rule is read back as it was set, also after a restart', async () => {
  const dir = tempDir();
  const store = openedStore(dir);
  const put = (name: string, rule: QueueRule) =>
    store.commits.write(() => store.queues.put(name, rule, NOW, undefined));
  for (const name of ['', ' ', '..', "it's; DROP TABLE queues", '__proto__', '\u{1f600}\n', 'x'.repeat(1024)])
    expect(await put(name, RULE)).toMatchObject({ queue: name, rule: RULE, unreadable: [] });
  expect(await put(' ', BARE)).toMatchObject({ rule: BARE });
  expect(await store.commits.write(() => store.queues.delete('..'))).toBe(true);
  expect(await store.commits.write(() => store.queues.delete('..'))).toBe(false);
  const before = store.queues.all();
  store.close();
  expect(openedStore(dir).queues.all()).toEqual(before);
  expect(before.map(({ queue }) => queue)).toHaveLength(6);
});

test('a rule is replaced only at the version that is named, and no version comes twice', async () => {
  const store = openedStore();
  const put = (ifVersion?: number) =>
    store.commits.write(() => store.queues.put('q', BARE, NOW, ifVersion)?.version);
  expect(await put(1)).toBeUndefined();
  expect(store.queues.all()).toEqual([]);
  const first = (await put(0))!;
  expect(await put(0)).toBeUndefined();
  const second = (await put(first))!;
  expect(second).toBeGreaterThan(first);
  expect(await put(first)).toBeUndefined();
  await store.commits.write(() => store.queues.delete('q'));
  expect(await put(second)).toBeUndefined();
  expect(await put()).toBeGreaterThan(second);
});

test('what of a row makes no sense does not hold and is named; what the schema forbids is refused', async () => {
  const dir = tempDir();
  const store = openedStore(dir);
  await store.commits.write(() => store.queues.put('q', RULE, NOW, undefined));
  store.close();
  const db = rawDatabase(dir);
  for (const odd of [
    'paused = 2',
    'max_running = -1',
    "default_limits = '5'",
    "lanes = '{'",
    "priority = 'x'",
  ])
    expect(() => db.exec(`UPDATE queues SET ${odd}`), odd).toThrow();
  db.pragma('ignore_check_constraints = ON');
  db.exec(`UPDATE queues SET max_running = -1, priority = ${2n ** 62n}, default_limits = '{"memory_bytes":"much"}',
    lanes = '{"a":{"max_running":1.5}}'`);
  db.close();
  expect(openedStore(dir).queues.all()).toEqual([
    {
      queue: 'q',
      version: 1,
      rule: { ...BARE, max_waiting: 0, paused: true },
      unreadable: ['max_running', 'priority', 'default_limits', 'lanes'],
    },
  ]);
});

test('ended tasks are counted by queue and lane as they end and are deleted', async () => {
  const store = openedStore();
  const { queueEnds } = store;
  await runThrough(store, 'a', undefined, { control_context: { queue: 'q', lane: 'l' } });
  await runThrough(store, 'b', undefined, { control_context: { queue: 'q' } });
  await insert(store, 'c', { control_context: { queue: 'q', lane: '__proto__' } });
  expect(queueEnds.ofQueue('q')).toEqual({ success: 2, failed: 0, cancelled: 0 });
  await store.commits.write(() => store.changes.end(waiting(store, 'c'), CANCELLED));
  expect(queueEnds.ofQueue('q')).toEqual({ success: 2, failed: 0, cancelled: 1 });
  expect(queueEnds.ofLane('q', 'l')).toEqual({ success: 1, failed: 0, cancelled: 0 });
  expect(queueEnds.lanesOf('q', 10)).toEqual(['__proto__', 'l']);
  expect(queueEnds.names('', 10)).toEqual(['q']);
  await runThrough(store, 'd');
  expect(queueEnds.names('', 10)).toEqual(['default', 'q']);
  expect(queueEnds.names('default', 10)).toEqual(['q']);
  expect(await store.commits.write(() => store.changes.delete('d'))).toBe(true);
  expect(await store.commits.write(() => store.changes.delete('d'))).toBe(false);
  expect(queueEnds.ofQueue('default')).toBeUndefined();
  for (const id of ['a', 'c']) await store.commits.write(() => store.changes.delete(id));
  expect(queueEnds.lanesOf('q', 10)).toEqual([]);
  expect(queueEnds.ofQueue('q')).toEqual({ success: 1, failed: 0, cancelled: 0 });
});

test('ends and deletions of one transaction are counted together', async () => {
  const store = openedStore();
  const { queueEnds } = store;
  await runThrough(store, 'old');
  for (const id of ['a', 'b']) await insert(store, id, { control_context: { queue: 'q', lane: 'l' } });
  await insert(store, 'c');
  await store.commits.write(() => {
    store.changes.delete('old');
    for (const id of ['a', 'b', 'c']) store.changes.end(waiting(store, id), CANCELLED);
    store.changes.delete('b');
  });
  expect(queueEnds.ofQueue('default')).toEqual({ success: 0, failed: 0, cancelled: 1 });
  expect(queueEnds.ofQueue('q')).toEqual({ success: 0, failed: 0, cancelled: 1 });
  expect(queueEnds.ofLane('q', 'l')).toEqual({ success: 0, failed: 0, cancelled: 1 });
  await store.commits.write(() => {
    store.changes.delete('a');
    store.changes.delete('c');
  });
  expect(queueEnds.names('', 10)).toEqual([]);
  expect(queueEnds.lanesOf('q', 10)).toEqual([]);
});

test('an end that is rolled back is not counted', async () => {
  const store = openedStore();
  await insert(store, 'a');
  const failed = store.commits.write(() => {
    store.changes.end(waiting(store, 'a'), CANCELLED);
    throw new Error('the disk is full');
  });
  await expect(Promise.all([failed, store.commits.write(() => undefined)])).rejects.toThrow(
    'the disk is full',
  );
  expect(store.queueEnds.ofQueue('default')).toBeUndefined();
});

test('the ends of a database of the older runtime are counted when it is taken over', async () => {
  const dir = tempDir();
  const old = new OldDatabase(dir);
  const ended = { status: 'success', exit_code: 0, finished_at_ms: 160 };
  const context = (json: object) => ({ control_context_json: JSON.stringify(json) });
  old.add('plain', ended);
  old.add('placed', { ...ended, ...context({ queue: 'q', lane: 'l' }) });
  old.add('odd', { ...ended, ...context({ queue: { a: 1 }, lane: 5 }) });
  old.add('failed', { status: 'failed', error_code: 'internal', ...context({ queue: 'q' }) });
  old.add('waits', { status: 'accepted', ...context({ queue: 'q' }) });
  old.db.close();
  const store = openedStore(dir);
  expect(store.queueEnds.ofQueue('default')).toEqual({ success: 1, failed: 0, cancelled: 0 });
  expect(store.queueEnds.ofQueue('q')).toEqual({ success: 1, failed: 1, cancelled: 0 });
  expect(store.queueEnds.ofLane('q', 'l')).toEqual({ success: 1, failed: 0, cancelled: 0 });
  expect(store.queueEnds.names('', 10)).toEqual(['default', 'q', '{"a":1}']);
  for (const id of ['plain', 'placed', 'odd', 'failed'])
    expect(await store.commits.write(() => store.changes.delete(id))).toBe(true);
  expect(store.queueEnds.names('', 10)).toEqual([]);
});
