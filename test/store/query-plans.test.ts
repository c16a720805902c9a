import type Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { openDatabase } from '../../src/store/database/database.js';
import { Store } from '../../src/store/store.js';
import { encodeCursor } from '../../src/store/tasks/cursor.js';
import { LIST_ORDERS, type ListQuery } from '../../src/task/list.js';
import { tempDir } from '../harness/temp-dir.js';
import { insert, NOW } from './support.js';

/** Every statement that the store prepares in its life, and what SQLite would do for it. */
async function plans(): Promise<Map<string, string>> {
  const dir = tempDir();
  const db = openDatabase(dir, () => NOW);
  const statements: string[] = [];
  const prepare = db.prepare.bind(db) as (sql: string) => Database.Statement;
  db.prepare = ((sql: string) => {
    statements.push(sql);
    return prepare(sql);
  }) as typeof db.prepare;
  const store = new Store(db, { wallMs: () => NOW, uptimeMs: () => 0, bootId: '' });
  await insert(store, 't');
  const filters: Partial<ListQuery>[] = [
    {},
    { status: ['failed'] },
    { status: ['accepted', 'running'] },
    { tenant: 't' },
    { tenant: 't', status: ['failed'] },
    { session_id: 's', owner: 'o' },
    { group: 'g' },
    { group: 'g', tenant: 't', status: ['failed'] },
    { text: 'x' },
    { label: 'a=b' },
    { unread_by: 'r' },
    { created_after: 1, created_before: 2 },
    { finished_after: 1, finished_before: 2 },
    { finished_before: 2, status: ['failed'], queue: 'q' },
  ];
  for (const filter of filters)
    for (const order of LIST_ORDERS)
      for (const reverse of [false, true]) {
        const page = await store.list.page({ ...filter, order, reverse, limit: 1 });
        expect(page.next_cursor).toBeUndefined();
        const cursor = encodeCursor({ order, reverse }, { key: 5, seq: 5 });
        await store.list.page({ ...filter, order, reverse, limit: 1, cursor });
      }
  store.events.ofAll(0, 1);
  const eventFilter = { tenant: 't', queue: 'q', session_id: 's', label: 'a=b' };
  await store.events.where({ ...eventFilter, event_type: ['started'] }, 0, 1);
  for (const filter of [{}, { tenant: 't' }, { owner: 'o', session_id: 's' }])
    for (const changed_after of [0, 1]) await store.changeList.page({ ...filter, changed_after, limit: 1 });
  const found = new Map<string, string>();
  for (const sql of statements.filter((s) =>
    /^(SELECT|UPDATE|DELETE)\b.*\b(tasks|task_events|attempts|queue_ends|lane_ends|tombstones|read_marks|outbox)\b/s.test(
      s,
    ),
  )) {
    const rows = prepare(`EXPLAIN QUERY PLAN ${sql.replace(/\?|@\w+/g, '1')}`).all() as { detail: string }[];
    found.set(sql, rows.map((row) => row.detail).join('; '));
  }
  store.close();
  return found;
}

test('no statement reads a table from end to end or sorts it: each costs the same as history grows', async () => {
  for (const [sql, plan] of await plans()) {
    expect(plan, sql).not.toMatch(/TEMP B-TREE/);
    // In the order of its rowid a table is read only as far as the LIMIT goes, which every list has.
    const inOrder = /FROM tasks NOT INDEXED .*ORDER BY submit_seq (ASC|DESC) LIMIT/s.test(sql);
    if (!inOrder)
      expect(plan, sql).not.toMatch(
        /SCAN (tasks|task_events|attempts|queue_ends|lane_ends|outbox)(?! USING INDEX idx_tasks_waiting$)/,
      );
  }
});

test('the important reads use the index that was made for them', async () => {
  const all = [...(await plans())];
  const planOf = (part: RegExp) => all.filter(([sql]) => part.test(sql)).map(([, plan]) => plan);
  for (const plan of planOf(/INDEXED BY idx_tasks_ages/))
    expect(plan).toMatch(/USING INDEX idx_tasks_ages \(ages_from_ms[>,=? ]/);
  expect(planOf(/WHERE pinned = 1/)[0]).toContain('USING COVERING INDEX idx_tasks_pinned');
  expect(planOf(/SELECT task_id FROM tasks WHERE task_id >/)[0]).toContain('USING COVERING INDEX');
  expect(planOf(/FROM task_events WHERE task_id/)[0]).toContain('USING INDEX idx_task_events_task_seq');
  expect(planOf(/FROM task_events WHERE seq/)[0]).toContain('USING INTEGER PRIMARY KEY');
  expect(planOf(/'accepted' UNION ALL/)[0]).toContain('USING INDEX idx_tasks_status');
  expect(planOf(/^UPDATE tasks/).filter((plan) => !plan.includes('(task_id=?)'))).toEqual([]);
  expect(planOf(/idx_tasks_status WHERE \(status = \?\) AND \(submit_seq <.*UNION/s)[0]).toContain(
    'MERGE (UNION ALL)',
  );
});
