import fc from 'fast-check';
import { expect, test } from 'vitest';
import { endOf } from '../../src/store/records.js';
import type { Store } from '../../src/store/store.js';
import { forgetDeletions } from '../../src/runtime/upkeep/forget-deletions.js';
import { changes } from '../../src/store/database/migrations/0015-changes.js';
import { openStore } from '../../src/store/open.js';
import { tempDir } from '../harness/temp-dir.js';
import {
  CANCELLED,
  dispatch,
  events,
  insert,
  NOW,
  openedStore,
  rawDatabase,
  runThrough,
  start,
  waiting,
} from './support.js';

const NEVER = new AbortController().signal;

/** What a reader knows: the version of each task. */
type Mirror = Map<string, number>;

/** One round of a reader. @returns what to ask for the next time */
async function round(
  store: Store,
  mirror: Mirror,
  after: number,
  limit: number,
  filter: { tenant?: string } = {},
  between: () => unknown = () => undefined,
): Promise<number> {
  const told = new Set<string>();
  let before = after;
  let cursor: string | undefined;
  for (;;) {
    const page = await store.changeList.page({ changed_after: after, limit, cursor, ...filter });
    const entries = [
      ...page.records.map(({ task_id, version }) => ({ task_id, version, there: true })),
      ...page.deleted.map(({ task_id, version }) => ({ task_id, version, there: false })),
    ];
    expect(entries.length).toBeLessThanOrEqual(limit);
    for (const list of [page.records, page.deleted])
      expect(list.map(({ version }) => version)).toEqual(
        list.map(({ version }) => version).sort((a, b) => a - b),
      );
    for (const { task_id, version, there } of entries) {
      expect(version).toBeGreaterThan(before);
      expect(told).not.toContain(task_id);
      if (there) {
        told.add(task_id);
        mirror.set(task_id, version);
      } else mirror.delete(task_id);
    }
    before = Math.max(before, ...entries.map(({ version }) => version));
    if (page.version !== undefined) return page.version;
    cursor = page.next_cursor;
    expect(cursor).toBeDefined();
    await between();
  }
}

const there = async (store: Store, tenant?: string): Promise<Mirror> => {
  const { records } = await store.list.page({ order: 'newest', limit: 1000, tenant });
  return new Map(records.map(({ task_id, version }) => [task_id, version]));
};

test('a reader knows every task as it is, whatever is written between its pages', async () => {
  const step = fc.oneof(
    fc.record({ what: fc.constant('insert' as const), id: fc.nat({ max: 20 }), tenant: fc.boolean() }),
    fc.record({ what: fc.constantFrom('begin', 'end', 'delete', 'kill' as const), id: fc.nat({ max: 20 }) }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 1, max: 7 }),
      fc.constantFrom(undefined, 't'),
      async (steps, limit, tenant) => {
        const store = openStore({ dataDir: tempDir(), now: () => NOW });
        const apply = async (one: (typeof steps)[number]) => {
          const id = `t${one.id}`;
          const task = store.tasks.get(id);
          if (one.what === 'insert' && task === undefined)
            await insert(store, id, { control_context: { tenant: one.tenant ? 't' : 'u' } });
          if (one.what === 'begin' && task?.status === 'accepted')
            await start(store, id, (await dispatch(store, id)) ?? 0);
          if (one.what === 'kill' && task?.status === 'running')
            await store.commits.write(() =>
              store.changes.killRequested(task, NOW, undefined, events('kill_requested')),
            );
          if (one.what === 'end' && task?.status === 'accepted')
            await store.commits.write(() => store.changes.end(waiting(store, id), CANCELLED));
          if (one.what === 'delete' && task !== undefined && endOf(task) !== undefined)
            await store.commits.write(() => store.changes.delete(id));
        };
        const mirror: Mirror = new Map();
        let version = 0;
        let n = 0;
        const next = async () => {
          const one = steps[n++];
          if (one !== undefined) await apply(one);
        };
        const filter = tenant === undefined ? {} : { tenant };
        while (n < steps.length) {
          await next();
          await next();
          version = await round(store, mirror, version, limit, filter, next);
        }
        await round(store, mirror, version, limit, filter);
        expect(mirror).toEqual(await there(store, tenant));
        store.close();
      },
    ),
    { numRuns: 40 },
  );
});

test('an id that is given again is told as the task that has it', async () => {
  const store = openedStore();
  await runThrough(store, 'again');
  const version = store.versions.last;
  await store.commits.write(() => store.changes.delete('again'));
  const gone = await store.changeList.page({ changed_after: version, limit: 10 });
  expect(gone).toMatchObject({ records: [], version: version + 1 });
  expect(gone.deleted).toEqual([{ task_id: 'again', version: version + 1, deleted_at_ms: NOW }]);
  await insert(store, 'again');
  const both = await store.changeList.page({ changed_after: version, limit: 10 });
  expect(both.deleted).toEqual([]);
  expect(both.records.map(({ task_id, status }) => [task_id, status])).toEqual([['again', 'accepted']]);
  // Who knows nothing has nothing to delete.
  expect((await store.changeList.page({ changed_after: 0, limit: 10 })).deleted).toEqual([]);
});

test('a deletion that is rolled back is none, and its number is told by nobody', async () => {
  const store = openedStore();
  await runThrough(store, 'stays');
  const version = store.versions.last;
  const failed = store.commits.write(() => {
    store.changes.delete('stays');
    throw new Error('no');
  });
  const other = insert(store, 'other');
  await expect(failed).rejects.toThrow('no');
  await other;
  const page = await store.changeList.page({ changed_after: version, limit: 10 });
  expect(page.deleted).toEqual([]);
  expect(page.records.map(({ task_id }) => task_id)).toEqual(['other']);
  expect(store.counters.read().tombstones).toBe(0);
});

test('who comes too late, or from elsewhere, is told what to do', async () => {
  const dir = tempDir();
  const store = openedStore(dir);
  for (let i = 0; i < 5; i++) {
    await runThrough(store, `t${i}`);
    await store.commits.write(() => store.changes.delete(`t${i}`));
  }
  await insert(store, 'stays');
  await forgetDeletions(store, NEVER, { maxAgeMs: 1e9, max: 2 });
  expect(store.counters.read().tombstones).toBe(2);
  const kept = rawDatabase(dir).prepare('SELECT version FROM tombstones').pluck().all() as number[];
  expect(kept).toHaveLength(2);
  const late = store.changeList.page({ changed_after: 3, limit: 10 });
  await expect(late).rejects.toMatchObject({ code: 'gone', details: { last_version: store.versions.last } });
  await expect(late).rejects.toThrow('begin again after version 0');
  const oldest = ((await late.catch((e: unknown) => e)) as { details: { oldest_version: number } }).details
    .oldest_version;
  expect(
    (await store.changeList.page({ changed_after: oldest, limit: 10 })).deleted.map((t) => t.version),
  ).toEqual(kept);
  // Who begins is never too late.
  const all = await store.changeList.page({ changed_after: 0, limit: 10 });
  expect(all.records.map(({ task_id }) => task_id)).toEqual(['stays']);
  await expect(
    store.changeList.page({ changed_after: store.versions.last + 1, limit: 10 }),
  ).rejects.toMatchObject({
    code: 'gone',
  });
});

test('deletions are forgotten by age, also over a restart, and a reader in the middle of its pages is told', async () => {
  const dir = tempDir();
  let now = 1000;
  const open = () => openStore({ dataDir: dir, now: () => NOW + now, uptimeMs: () => now });
  let store = open();
  for (const id of ['a', 'b', 'c', 'd']) await runThrough(store, id);
  const first = await store.changeList.page({ changed_after: 0, limit: 1 });
  const version = store.versions.last;
  await store.commits.write(() => store.changes.delete('a'));
  now += 500;
  await store.commits.write(() => store.changes.delete('b'));
  store.close();
  store = open();
  expect(store.counters.read().tombstones).toBe(2);
  const middle = await store.changeList.page({ changed_after: version, limit: 1 });
  expect(middle.deleted.map(({ task_id }) => task_id)).toEqual(['a']);
  now += 600;
  await forgetDeletions(store, NEVER, { maxAgeMs: 1000, max: 100 });
  expect(store.counters.read().tombstones).toBe(1);
  // It has read past what was forgotten.
  const rest = await store.changeList.page({ changed_after: version, limit: 1, cursor: middle.next_cursor });
  expect(rest).toMatchObject({ version: version + 2 });
  await expect(store.changeList.page({ changed_after: version, limit: 1 })).rejects.toMatchObject({
    code: 'gone',
  });
  // It would have been told of 'a' in its next round, and will not be.
  await expect(
    store.changeList.page({ changed_after: 0, limit: 1, cursor: first.next_cursor }),
  ).rejects.toMatchObject({ code: 'gone' });
  store.close();
});

test('a cursor that no page returned is refused', async () => {
  const store = openedStore();
  for (const id of ['a', 'b', 'c']) await insert(store, id);
  const { next_cursor } = await store.changeList.page({ changed_after: 0, limit: 1 });
  await expect(store.changeList.page({ changed_after: 1, limit: 1, cursor: next_cursor })).rejects.toThrow(
    'belongs to changed_after=0',
  );
  const made = (text: string) => Buffer.from(text).toString('base64url');
  const bad = fc.oneof(
    fc.string(),
    fc.base64String(),
    fc.constantFrom(
      ...['changes:2:1:3', 'changes:0:3:2', 'changes:0:1', 'newest:5', 'changes:00:1:3'].map(made),
    ),
  );
  await fc.assert(
    fc.asyncProperty(bad, async (cursor) => {
      await expect(store.changeList.page({ changed_after: 0, limit: 1, cursor })).rejects.toThrow(
        'invalid input: cursor',
      );
    }),
  );
  // One that reaches beyond what there is.
  const beyond = store.changeList.page({ changed_after: 0, limit: 1, cursor: made('changes:0:1:99') });
  await expect(beyond).rejects.toMatchObject({ code: 'gone' });
});

test('what was stored before changes were counted counts as changed', async () => {
  const dir = tempDir();
  const store = openedStore(dir);
  for (const id of ['a', 'b', 'c']) await insert(store, id);
  store.close();
  const db = rawDatabase(dir);
  for (const name of ['version', 'created', 'finished', 'waiting']) db.exec(`DROP INDEX idx_tasks_${name}`);
  db.exec(`DROP TABLE tombstones; DELETE FROM meta WHERE key = 'forgotten_version';
    UPDATE tasks SET version = CASE task_id WHEN 'a' THEN 0 WHEN 'b' THEN 'odd' ELSE version END`);
  // Later ones do not change what this one does.
  changes.before?.(db);
  db.exec(changes.sql);
  db.close();
  const again = openedStore(dir);
  const page = await again.changeList.page({ changed_after: 0, limit: 10 });
  expect(page.records.map(({ task_id, version }) => [task_id, version])).toEqual([
    ['c', 3],
    ['a', 4],
    ['b', 5],
  ]);
  expect(page.version).toBe(5);
  // What was deleted before is not known.
  await expect(again.changeList.page({ changed_after: 2, limit: 10 })).rejects.toMatchObject({
    code: 'gone',
  });
});
