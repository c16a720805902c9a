import { expect, onTestFinished, test } from 'vitest';
import { expireKeys } from '../../src/runtime/upkeep/expire.js';
import { openStore } from '../../src/store/open.js';
import { tempDir } from '../harness/temp-dir.js';
import {
  CANCELLED,
  dispatch,
  insert,
  newTask,
  NOW,
  openedStore,
  rawDatabase,
  running,
  runThrough,
  SUCCESS,
  waiting,
} from './support.js';

const hashOf = (sent: string, older = '') => ({ sent, older: () => older });
const keyed = (id: string, hash: string, tenant?: string) => ({
  ...newTask(id, { control_context: { idempotency_key: 'k', tenant } }),
  request_hash: hashOf(hash),
});

test('a new task reads back as it was inserted', async () => {
  const store = openedStore();
  const submission = {
    execution: { kind: 'script' as const, script: 'echo "ü\u0001"', env: { A: '=', __proto__x: '1' } },
    limits: { memory_bytes: Number.MAX_SAFE_INTEGER },
    policy: { priority: -5 },
    control_context: { tenant: 'acme', owner: 'ann', labels: { a: 'b' }, lane: 'fast', session_id: 's' },
    metadata: { note: 'x' },
  };
  const result = await insert(store, 't', submission);
  if (!result.inserted) throw new Error('not inserted');
  expect(store.tasks.get('t')).toEqual(result.task);
  const numbered = result.events.map((event, i) => ({ ...event, task_seq: i + 1 }));
  expect(store.events.ofTask('t', 0, undefined)).toEqual(numbered);
  expect(result.task.submit_seq).toBe(result.events[0]!.seq);
});

test('a request is stored once, with nothing in the columns that the older runtime had for its parts', async () => {
  const dir = tempDir();
  const store = openedStore(dir);
  await insert(store, 't', { control_context: { tenant: 'acme' }, metadata: { a: 'b' } });
  const row = rawDatabase(dir).prepare('SELECT * FROM tasks').get() as Record<string, unknown>;
  expect(row).toMatchObject({ status: 'accepted', tenant: 'acme' });
  expect(JSON.parse(row.request_json as string)).toMatchObject({ metadata: { a: 'b' } });
  expect(JSON.parse(row.reservation_json as string)).toEqual({ task_slots: 1, memory_bytes: 1024 });
  const parts = ['execution', 'limits', 'sandbox', 'metadata', 'control_context', 'result'];
  for (const column of [...parts.map((part) => `${part}_json`), 'task_dir', 'stdout_path', 'handle_id'])
    expect(row[column] ?? '', column).toBe('');
});

test('a taken id is a conflict and leaves the first task as it is', async () => {
  const store = openedStore();
  await runThrough(store, 't');
  const before = store.tasks.get('t');
  await expect(insert(store, 't')).rejects.toMatchObject({ code: 'conflict' });
  expect(store.tasks.get('t')).toEqual(before);
  expect(store.counters.read().entered.accepted).toBe(1);
});

test('of two equal ids in one transaction the first wins', async () => {
  const store = openedStore();
  const settled = await Promise.allSettled([insert(store, 't'), insert(store, 't'), insert(store, 'u')]);
  expect(settled.map((s) => s.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(store.tasks.get('u')?.submit_seq).toBe(4);
  expect(store.events.last).toBe(6);
});

test('an idempotency key gives the first answer again, also after its task is gone', async () => {
  const store = openedStore();
  const put = (task: ReturnType<typeof keyed>) => store.commits.write(() => store.newTasks.insert(task));
  expect(await put(keyed('a', 'h'))).toMatchObject({ inserted: true });
  expect(await put(keyed('b', 'h'))).toEqual({ inserted: false, task_id: 'a' });
  await expect(put(keyed('c', 'other'))).rejects.toMatchObject({ code: 'conflict' });
  expect(await put(keyed('d', 'other', 'tenant'))).toMatchObject({ inserted: true });
  await store.commits.write(() => store.changes.end(waiting(store, 'a'), CANCELLED));
  await store.commits.write(() => store.changes.delete('a'));
  expect(await put(keyed('b', 'h'))).toEqual({ inserted: false, task_id: 'a' });
  expect(store.keys.lookUp(undefined, 'k', hashOf('h'))).toBe('a');
  expect(store.keys.lookUp('nobody', 'k', hashOf('h'))).toBeUndefined();
  expect(() => store.keys.lookUp(undefined, 'k', hashOf('x'))).toThrow('idempotency key');
});

test('a key is not used up by an insert that failed', async () => {
  const store = openedStore();
  await insert(store, 'a');
  const other = insert(store, 'x');
  await expect(store.commits.write(() => store.newTasks.insert(keyed('a', 'h')))).rejects.toMatchObject({
    code: 'conflict',
  });
  await other;
  expect(store.keys.lookUp(undefined, 'k', hashOf('h'))).toBeUndefined();
});

test('a key that an older version wrote down is known by the hash of that version', async () => {
  const store = openedStore();
  await store.commits.write(() => store.newTasks.insert(keyed('a', 'of an older version')));
  expect(store.keys.lookUp(undefined, 'k', hashOf('of this one', 'of an older version'))).toBe('a');
  expect(() => store.keys.lookUp(undefined, 'k', hashOf('of this one', 'another'))).toThrow(
    'idempotency key',
  );
});

test('keys end by age, oldest first, and are free then', async () => {
  let uptime = 0;
  const store = openStore({ dataDir: tempDir(), now: () => NOW, uptimeMs: () => uptime });
  onTestFinished(() => store.close());
  const put = (id: string, tenant: string) =>
    store.commits.write(() => store.newTasks.insert(keyed(id, 'h', tenant)));
  for (const tenant of ['a', 'b', 'c']) {
    await put(tenant, tenant);
    uptime += 1000;
  }
  expect(store.keys.olderThan(3001, 9)).toEqual([]);
  expect(store.keys.olderThan(2000, 9).map((k) => k.tenant)).toEqual(['a', 'b']);
  expect(store.keys.olderThan(0, 2).map((k) => k.tenant)).toEqual(['a', 'b']);
  await expireKeys(store, 2000, new AbortController().signal);
  expect(store.keys.olderThan(0, 9).map((k) => k.tenant)).toEqual(['c']);
  expect(await put('new', 'a')).toMatchObject({ inserted: true });
  expect(await put('other', 'c')).toEqual({ inserted: false, task_id: 'c' });
});

test('a key without a hash is a mistake of the caller', async () => {
  const store = openedStore();
  const task = { ...keyed('a', ''), request_hash: undefined };
  await expect(store.commits.write(() => store.newTasks.insert(task))).rejects.toThrow('hash');
});

test('supervisors are kept, replaced and removed', async () => {
  const store = openedStore();
  const one = { incarnation: 'a', pid: 1, start_ticks: 2, boot_id: 'b', started_at_ms: 3 };
  const two = { ...one, incarnation: 'c', started_at_ms: 1 };
  await store.commits.write(() => {
    store.supervisors.put(one);
    store.supervisors.put(two);
    store.supervisors.put({ ...one, pid: 9 });
  });
  expect(store.supervisors.all()).toEqual([two, { ...one, pid: 9 }]);
  await store.commits.write(() => store.supervisors.remove('c'));
  expect(store.supervisors.all()).toEqual([{ ...one, pid: 9 }]);
});

test('a supervisor stays as long as a running task is given to it', async () => {
  const store = openedStore();
  const remove = () => store.commits.write(() => store.supervisors.remove('i'));
  await store.commits.write(() => {
    store.supervisors.put({ incarnation: 'i', pid: 1, start_ticks: 2, boot_id: 'b', started_at_ms: 3 });
  });
  await insert(store, 'a');
  const launch_id = (await dispatch(store, 'a'))!;
  expect(await remove()).toBe(false);
  expect(store.supervisors.all()).toHaveLength(1);
  await store.commits.write(() => store.changes.end(running(store, 'a', launch_id), SUCCESS));
  expect(await remove()).toBe(true);
  expect(store.supervisors.all()).toEqual([]);
});

test('events are numbered on from the last one that is there, whatever became of the count of all', async () => {
  const dir = tempDir();
  const store = openedStore(dir);
  const { events: written } = (await insert(store, 'a')) as { events: { seq: number }[] };
  store.close();
  const db = rawDatabase(dir);
  db.exec("DELETE FROM sqlite_sequence WHERE name = 'task_events'");
  db.close();
  const again = openedStore(dir);
  expect(again.events.last).toBe(written.at(-1)!.seq);
  await insert(again, 'b');
  again.close();
});

test('a sequence that has come to its end is refused', async () => {
  const dir = tempDir();
  openedStore(dir).close();
  const db = rawDatabase(dir);
  db.exec(`DELETE FROM sqlite_sequence WHERE name = 'task_events';
    INSERT INTO sqlite_sequence (name, seq) VALUES ('task_events', 9223372036854775807)`);
  db.close();
  expect(() => openedStore(dir)).toThrow('the numbers of events are used up');
});
