import { join } from 'node:path';
import { expect, test } from 'vitest';
import { emptyLog } from '../../src/store/database/empty-log.js';
import { GroupCommit } from '../../src/store/database/group-commit.js';
import { tempDir } from '../harness/temp-dir.js';
import {
  events,
  FAILED,
  insert,
  newTask,
  NOW,
  openedStore,
  rawDatabase,
  runThrough,
  waiting,
} from './support.js';

/** Commits to a database of its own, where a transaction may take as long as the machine lets it. */
function unhurried() {
  const dir = tempDir();
  openedStore(dir).close();
  const db = rawDatabase(dir);
  return { dir, db, commits: new GroupCommit(db, [], Infinity) };
}

test('writes of one turn are one transaction, in order of arrival, and invisible before it', async () => {
  const { dir, db, commits } = unhurried();
  const other = rawDatabase(dir);
  const insertRow = db.prepare("INSERT INTO meta (key, value) VALUES ('test ' || ?, 1)");
  const rows = other.prepare("SELECT count(*) FROM meta WHERE key LIKE 'test %'").pluck();
  const order: string[] = [];
  const writes = ['a', 'b', 'c'].map((id) =>
    commits
      .write(() => {
        order.push(`run ${id}`);
        insertRow.run(id);
        return rows.get();
      })
      .then((seen) => {
        order.push(`done ${id}`);
        return seen;
      }),
  );
  expect(order).toEqual([]);
  expect(await Promise.all(writes)).toEqual([0, 0, 0]);
  expect(order).toEqual(['run a', 'run b', 'run c', 'done a', 'done b', 'done c']);
  expect(rows.get()).toBe(3);
});

test('one that fails does not hurt its mates, and leaves nothing: rows, events, counters, seqs', async () => {
  const store = openedStore();
  const boom = new Error('boom');
  const settled = await Promise.allSettled([
    insert(store, 'a'),
    store.commits.write(() => {
      store.newTasks.insert(newTask('b'));
      store.appendEvents('a', events('recovered'));
      store.changes.end(waiting(store, 'a'), FAILED);
      throw boom;
    }),
    insert(store, 'c'),
  ]);
  expect(settled.map((s) => s.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(settled[1]).toMatchObject({ reason: boom });
  expect(store.tasks.get('a')?.status).toBe('accepted');
  expect(store.tasks.get('b')).toBeUndefined();
  expect(store.events.ofAll(0, 100).map((e) => e.seq)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(store.events.last).toBe(6);
  expect(store.counters.read()).toMatchObject({ entered: { accepted: 2, failed: 0 }, errors: {} });
});

test('one alone that fails is undone as well', async () => {
  const store = openedStore();
  const failing = store.commits.write(() => {
    store.newTasks.insert(newTask('a'));
    throw new Error('boom');
  });
  await expect(failing).rejects.toThrow('boom');
  expect(store.tasks.get('a')).toBeUndefined();
  expect(store.counters.read().entered.accepted).toBe(0);
  await insert(store, 'a');
  expect(store.events.last).toBe(3);
});

test('a write from within a write belongs to the next transaction', async () => {
  const store = openedStore();
  let inner: Promise<unknown> | undefined;
  await store.commits.write(() => {
    inner = insert(store, 'inner');
    return store.newTasks.insert(newTask('outer'));
  });
  await inner;
  expect([store.tasks.get('outer')?.submit_seq, store.tasks.get('inner')?.submit_seq]).toEqual([1, 4]);
});

test('each write gets consecutive seqs', async () => {
  const store = openedStore();
  const results = await Promise.all(Array.from({ length: 20 }, (_, i) => insert(store, `t${i}`)));
  const seqs = results.map((r) => (r.inserted ? r.events.map((e) => e.seq) : []));
  expect(seqs.flat()).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
});

test('closing commits what is queued and refuses what comes later', async () => {
  const dir = tempDir();
  const store = openedStore(dir);
  const queued = insert(store, 'a');
  store.close();
  await queued;
  await expect(insert(store, 'b')).rejects.toMatchObject({ code: 'unavailable' });
  const again = openedStore(dir);
  expect(again.tasks.live().map((t) => t.task_id)).toEqual(['a']);
});

test('counters, seqs and launch ids go on after a restart', async () => {
  const dir = tempDir();
  const store = openedStore(dir);
  await runThrough(store, 'a');
  await runThrough(store, 'b', { ...FAILED, duration_ms: 400_000 });
  const [counters, last] = [store.counters.read(), store.events.last];
  expect(counters).toMatchObject({
    entered: { accepted: 2, running: 2, success: 1, failed: 1 },
    errors: { launch_failed: 1 },
    duration: { buckets: [1, 1, 1, 1, 1, 1, 1, 1, 1], sum: 400_048, count: 2 },
  });
  await store.commits.write(() => store.changes.delete('b'));
  store.close();
  const again = openedStore(dir);
  expect(again.counters.read()).toEqual({ ...counters, kept: { tasks: 1, bytes: 0 }, tombstones: 1 });
  expect(again.events.last).toBe(last);
  expect(again.attemptIds.next()).toBe(3);
});

test('a database that another process has locked is unavailable, and works again afterwards', async () => {
  const dir = tempDir();
  const store = openedStore(dir);
  const other = rawDatabase(dir);
  other.exec('BEGIN IMMEDIATE');
  await expect(insert(store, 'a')).rejects.toMatchObject({ code: 'unavailable' });
  expect(() => store.probe()).toThrow('locked');
  other.exec('ROLLBACK');
  await insert(store, 'a');
  store.probe();
  expect(other.prepare("SELECT value FROM meta WHERE key = 'probed_at_ms'").pluck().get()).toBe(NOW);
});

test('the write-ahead log is emptied through another connection; who reads an old view is in the way', async () => {
  const dir = tempDir();
  const store = openedStore(dir);
  const path = join(dir, 'runtime.db');
  await insert(store, 'a');
  const reader = rawDatabase(dir);
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM tasks').get();
  await insert(store, 'b');
  expect(emptyLog(path)).toBe(false);
  expect(store.walBytes()).toBeGreaterThan(0);
  await insert(store, 'c');
  reader.exec('COMMIT');
  expect(emptyLog(path)).toBe(true);
  expect(store.walBytes()).toBe(0);
  expect(['a', 'b', 'c'].filter((id) => store.tasks.get(id) === undefined)).toEqual([]);
});

test('what is in no hurry goes along with the next transaction, after the others, or alone', async () => {
  const { commits } = unhurried();
  const order: string[] = [];
  const note = (name: string) => () => {
    order.push(name);
    return name;
  };
  const along = [commits.writeAlong(note('along 1')), commits.writeAlong(note('along 2'))];
  await commits.write(note('now'));
  expect(order).toEqual(['now', 'along 1', 'along 2']);
  expect(await Promise.all(along)).toEqual(['along 1', 'along 2']);
  expect(await commits.writeAlong(note('alone'))).toBe('alone');
  const last = commits.writeAlong(note('last'));
  commits.close();
  expect(await last).toBe('last');
  await expect(commits.writeAlong(note('late'))).rejects.toMatchObject({ code: 'unavailable' });
});

test('a long queue is written in several transactions, in order, and lets others have their turn', async () => {
  const store = openedStore();
  const order: string[] = [];
  const slow = (name: string) => () => {
    const until = performance.now() + 6;
    while (performance.now() < until);
    order.push(name);
    return store.counters.read().entered.accepted;
  };
  const done: number[] = [];
  const writes = ['1', '2', '3', '4', '5', '6'].map((name) =>
    store.commits
      .write(() => {
        store.newTasks.insert(newTask(name));
        return slow(name)();
      })
      .then((committedBefore) => done.push(committedBefore)),
  );
  await new Promise((resolve) => setImmediate(resolve));
  expect(order.length).toBeLessThan(6);
  await Promise.all(writes);
  expect(order).toEqual(['1', '2', '3', '4', '5', '6']);
  // What a later transaction sees as committed is what an earlier one wrote.
  expect(done.at(0)).toBe(0);
  expect(done.at(-1)).toBeGreaterThan(0);
  expect(store.counters.read().entered.accepted).toBe(6);
});

test('closing writes all of a long queue', async () => {
  const store = openedStore();
  const writes = ['1', '2', '3', '4'].map((name) =>
    store.commits.write(() => {
      const until = performance.now() + 8;
      while (performance.now() < until);
      return store.newTasks.insert(newTask(name)).inserted;
    }),
  );
  store.close();
  expect(await Promise.all(writes)).toEqual([true, true, true, true]);
});

test('who is in a hurry does not wait for the company of others', async () => {
  const store = openedStore();
  const order: string[] = [];
  const patient = store.commits.writeAlong(() => order.push('patient'), 60_000);
  const quick = store.commits.writeAlong(() => order.push('quick'), 1);
  await Promise.all([patient, quick]);
  expect(order).toEqual(['patient', 'quick']);
});
