import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Store } from '../../src/store/store.js';
import { MAX_BYTES_READ, MAX_ROWS_READ, TaskList } from '../../src/store/tasks/task-list.js';
import { LIST_ORDERS, type ListQuery } from '../../src/task/list.js';
import type { TaskSubmission } from '../../src/task/request.js';
import { tempDir } from '../harness/temp-dir.js';
import { dispatch, FAILED, insert, openedStore, rawDatabase, runThrough } from './support.js';

const QUERY: ListQuery = { order: 'newest', limit: 100 };

async function ids(store: Store, query: Partial<ListQuery>): Promise<string[]> {
  return (await store.list.page({ ...QUERY, ...query })).records.map((t) => t.task_id);
}

/** Every id that the pages of a query show, in order. */
async function allPages(
  store: Store,
  query: Partial<ListQuery>,
  between: () => void = () => {},
): Promise<string[]> {
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.list.page({ ...QUERY, ...query, cursor });
    seen.push(...page.records.map((t) => t.task_id));
    cursor = page.next_cursor;
    between();
  } while (cursor !== undefined);
  return seen;
}

const context = (control_context: TaskSubmission['control_context']) => ({ control_context });

async function filled(): Promise<Store> {
  const store = openedStore();
  await runThrough(store, 'done');
  await runThrough(store, 'broken', FAILED);
  await insert(store, 'plain', { execution: { kind: 'command', program: 'make', args: ['-j4', 'Test'] } });
  await insert(store, 'acme-1', context({ tenant: 'acme', owner: 'ann', labels: { team: 'a=b', x: '1' } }));
  await insert(
    store,
    'acme-2',
    context({ tenant: 'acme', owner: 'bob', queue: 'slow', lane: 'l', labels: { x: '2' } }),
  );
  await insert(store, 'in-session', context({ tenant: 'acme', session_id: 's' }));
  await insert(store, 'script', {
    execution: { kind: 'script', script: 'echo SECRET_WORD', env: { K: 'env-value' } },
  });
  await dispatch(store, 'acme-1');
  return store;
}

describe('filters', () => {
  const expected: [name: string, query: Partial<ListQuery>, ids: string[]][] = [
    ['none', {}, ['script', 'in-session', 'acme-2', 'acme-1', 'plain', 'broken', 'done']],
    ['oldest first', { order: 'oldest', limit: 2 }, ['done', 'broken']],
    ['a status', { status: ['running'] }, ['acme-1']],
    ['statuses', { status: ['failed', 'success', 'running', 'failed'] }, ['acme-1', 'broken', 'done']],
    ['no status', { status: [], limit: 1 }, ['script']],
    ['a cause', { cause: 'launch' }, ['broken']],
    ['a tenant', { tenant: 'acme' }, ['in-session', 'acme-2', 'acme-1']],
    ['a tenant and statuses', { tenant: 'acme', status: ['running', 'failed'] }, ['acme-1']],
    ['a session', { session_id: 's' }, ['in-session']],
    ['a session of another tenant', { session_id: 's', tenant: 'other' }, []],
    ['an owner', { owner: 'bob' }, ['acme-2']],
    ['a queue', { queue: 'slow' }, ['acme-2']],
    ['a lane', { lane: 'l' }, ['acme-2']],
    ['a label', { label: 'x' }, ['acme-2', 'acme-1']],
    ['a label with a value', { label: 'x=2' }, ['acme-2']],
    ['a label whose value has a "="', { label: 'team=a=b' }, ['acme-1']],
    ['a label that nobody has', { label: "'; DROP TABLE tasks; --" }, []],
    ['part of an id, in any case', { text: 'ACME' }, ['acme-2', 'acme-1']],
    ['part of a command line', { text: '-J4 test' }, ['plain']],
    ['part of a script', { text: 'secret_word' }, ['script']],
    ['no text', { text: '', limit: 1 }, ['script']],
    ['no environment values', { text: 'env-value' }, []],
    ['text that is no pattern', { text: '%' }, []],
  ];
  test('each lets through what it says', async () => {
    const store = await filled();
    for (const [name, query, wanted] of expected) expect(await ids(store, query), name).toEqual(wanted);
  });
});

/** Writes tasks `t1` to `t<count>` past the store. @param owner in SQL, of the number `i` */
function fillByHand(dir: string, count: number, owner: string): void {
  rawDatabase(dir).exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
    INSERT INTO tasks (submit_seq, task_id, handle_id, status, owner, created_at_ms, updated_at_ms, stdout_max_bytes,
      stderr_max_bytes, task_dir, workspace_dir, request_path, result_path, stdout_path, stderr_path, limits_json,
      sandbox_json, metadata_json, execution_json)
    SELECT i, 't' || i, 't' || i, 'accepted', ${owner}, 1, 1, 1, 1, '/', '/', '/',
      '/', '/', '/', '{}', '{}', '{}', '{"kind":"command","program":"x"}' FROM n`);
}

describe('pages', () => {
  test('are complete and disjoint, whatever their size and order, also while tasks come in', async () => {
    const store = await filled();
    await Promise.all(
      Array.from({ length: 30 }, (_, i) => insert(store, `t${i}`, context({ queue: i % 3 ? 'q' : 'r' }))),
    );
    const queries: Partial<ListQuery>[] = [{}, { status: ['accepted'] }, { queue: 'q' }, { tenant: 'acme' }];
    const whole = await Promise.all(queries.map((query) => ids(store, query)));
    let n = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 3 }), fc.integer({ min: 1, max: 12 }), async (which, limit) => {
        const late: Promise<unknown>[] = [];
        const query = { ...queries[which], limit };
        const newest = await allPages(store, query, () =>
          late.push(insert(store, `late${n++}`, context({ queue: 'z' }))),
        );
        await Promise.all(late);
        expect(newest.filter((id) => !id.startsWith('late'))).toEqual(whole[which]);
        const oldest = await allPages(store, { ...query, order: 'oldest' });
        expect(oldest.filter((id) => !id.startsWith('late'))).toEqual([...whole[which]!].reverse());
      }),
      { numRuns: 12 },
    );
  });

  test('read no more than their share, and go on from there', async () => {
    const dir = tempDir();
    const store = openedStore(dir);
    const rows = 2 * MAX_ROWS_READ + 5;
    fillByHand(dir, rows, `CASE WHEN i IN (1, 2, ${rows}) THEN 'rare' END`);
    const query = { ...QUERY, owner: 'rare' };
    const first = await store.list.page(query);
    expect(first.records.map((t) => t.task_id)).toEqual([`t${rows}`]);
    const second = await store.list.page({ ...query, cursor: first.next_cursor });
    expect(second.records).toEqual([]);
    const third = await store.list.page({ ...query, cursor: second.next_cursor });
    expect(third.records.map((t) => t.task_id)).toEqual(['t2', 't1']);
    expect(third.next_cursor).toBeUndefined();
    expect(await allPages(store, { owner: 'rare', status: ['accepted', 'running'], limit: 1 })).toEqual([
      `t${rows}`,
      't2',
      't1',
    ]);
  });

  test('show every match once, wherever the reading of the table was divided', async () => {
    const dir = tempDir();
    const store = openedStore(dir);
    const total = MAX_ROWS_READ + 2000;
    const near = [500, 1000, 1500, MAX_ROWS_READ].flatMap((n) => [n - 1, n, n + 1]);
    const rare = [1, ...near, total].join(', ');
    fillByHand(dir, total, `CASE WHEN i IN (${rare}) OR ${total} - i + 1 IN (${rare}) THEN 'rare' END`);
    const wanted = new Set([1, ...near, total].flatMap((n) => [`t${n}`, `t${total - n + 1}`]));
    for (const limit of [1, 2, 3, 100])
      for (const order of ['newest', 'oldest'] as const) {
        const seen = await allPages(store, { owner: 'rare', limit, order });
        expect(seen).toHaveLength(wanted.size);
        expect(new Set(seen)).toEqual(wanted);
      }
  });

  test('refuse a cursor that no list returned', async () => {
    const store = await filled();
    const { next_cursor } = await store.list.page({ ...QUERY, limit: 2 });
    await expect(store.list.page({ ...QUERY, order: 'oldest', cursor: next_cursor })).rejects.toThrow(
      'newest',
    );
    const bad = fc.oneof(
      fc.string(),
      fc.base64String(),
      fc.constantFrom(`${next_cursor}=`, ` ${next_cursor}`, ''),
    );
    await fc.assert(
      fc.asyncProperty(bad, async (cursor) => {
        await expect(store.list.page({ ...QUERY, cursor })).rejects.toThrow('invalid input: cursor');
      }),
    );
    for (const limit of [0, -1, 1.5, NaN])
      await expect(store.list.page({ ...QUERY, limit })).rejects.toThrow('limit');
  });

  test('search through large scripts in many turns of the event loop, one search at a time', async () => {
    const store = openedStore();
    const script = 'x'.repeat(500_000);
    for (let i = 0; i < 40; i++)
      await insert(store, `big${i}`, { execution: { kind: 'script', script: `${script} needle${i}` } });
    let turns = 0;
    let counting = true;
    const count = (): void => {
      turns++;
      if (counting) setImmediate(count);
    };
    setImmediate(count);
    const found = await Promise.all([0, 1, 2].map((n) => ids(store, { text: `Needle3${n}` })));
    counting = false;
    expect(found).toEqual([['big30'], ['big31'], ['big32']]);
    // Three searches through 40 scripts, of which a slice holds one.
    expect(turns).toBeGreaterThan(100);
  });

  test('read no more bytes than their share, and go on from there', async () => {
    const dir = tempDir();
    const store = openedStore(dir);
    fillByHand(dir, 30, `CASE WHEN i = 1 THEN 'rare' END`);
    rawDatabase(dir)
      .prepare(
        `UPDATE tasks SET execution_json = json_object('kind', 'script', 'script', printf('%.*c', ?, 'x'))`,
      )
      .run(MAX_BYTES_READ / 20);
    const first = await store.list.page({ ...QUERY, owner: 'rare' });
    expect(first.records).toEqual([]);
    expect(first.next_cursor).toBeDefined();
    expect(await allPages(store, { owner: 'rare' })).toEqual(['t1']);
  });

  test('a search ends when its client has gone', async () => {
    const dir = tempDir();
    const store = openedStore(dir);
    fillByHand(dir, MAX_ROWS_READ, 'NULL');
    const gone = new AbortController();
    const search = store.list.page({ ...QUERY, text: 'nothing' }, gone.signal);
    gone.abort();
    await expect(search).rejects.toThrow();
    expect(await ids(store, { text: 't77', limit: 1, order: 'oldest' })).toEqual(['t77']);
    // These have the parts of their request where the older runtime had them.
    expect(await ids(store, { text: 'x', limit: 1, order: 'oldest' })).toEqual(['t1']);
  });
});

test('statements are kept for few of the many ways to filter, and whatever the order of the statuses', async () => {
  const dir = tempDir();
  openedStore(dir).close();
  // What is left to filters is prepared once there is something to filter.
  fillByHand(dir, 1, "'x'");
  const db = rawDatabase(dir);
  let prepared = 0;
  const prepare = db.prepare.bind(db);
  db.prepare = (sql: string) => {
    prepared++;
    return prepare(sql);
  };
  const list = new TaskList(db);
  const cost = async (query: Partial<ListQuery>) => {
    const before = prepared;
    await list.page({ ...QUERY, ...query });
    return prepared - before;
  };
  const first = { status: ['failed', 'success'] } satisfies Partial<ListQuery>;
  expect(await cost(first)).toBe(1);
  expect(await cost({ status: ['success', 'failed', 'success'] })).toBe(0);
  const words = ['cause', 'owner', 'queue', 'lane', 'label', 'text', 'tenant', 'session_id'] as const;
  const combined = Array.from({ length: 256 }, (_, bits) =>
    Object.fromEntries(words.flatMap((word, i) => ((bits >> i) % 2 === 1 ? [[word, 'x']] : []))),
  );
  for (const query of combined) await cost(query);
  expect(await cost(combined.at(-1)!)).toBe(0);
  expect(await cost(first)).toBe(1);
});

describe('orders', () => {
  /** Tasks `t1` to `t<count>` of which each tenth waits, with few different times and priorities. */
  function timed(dir: string, count: number): void {
    fillByHand(dir, count, `CASE i % 3 WHEN 0 THEN 'third' END`);
    rawDatabase(dir)
      .exec(`UPDATE tasks SET created_at_ms = 1000 + submit_seq % 7, priority = submit_seq % 4 - 1;
      UPDATE tasks SET status = CASE submit_seq % 3 WHEN 0 THEN 'failed' ELSE 'success' END, cause = 'exit',
        finished_at_ms = 2000 + submit_seq % 11 WHERE submit_seq % 10 <> 0`);
  }

  test('are complete, sorted and the same in pages of any size, also turned round and filtered', async () => {
    const dir = tempDir();
    const store = openedStore(dir);
    timed(dir, 700);
    const rows = rawDatabase(dir)
      .prepare<
        [],
        Record<'seq' | 'created' | 'finished' | 'priority', number> & {
          id: string;
          status: string;
          owner: string | null;
        }
      >(
        `SELECT submit_seq AS seq, task_id AS id, created_at_ms AS created, finished_at_ms AS finished, priority, status, owner FROM tasks`,
      )
      .all();
    const keys = {
      newest: (row: (typeof rows)[number]) => [-row.seq],
      oldest: (row) => [row.seq],
      created: (row) => [-row.created, -row.seq],
      finished: (row) => [-row.finished, -row.seq],
      priority: (row) => [-row.priority, row.seq],
    } satisfies Record<string, (row: (typeof rows)[number]) => number[]>;
    const compare = (a: number[], b: number[]) => (a[0] ?? 0) - (b[0] ?? 0) || (a[1] ?? 0) - (b[1] ?? 0);
    for (const order of LIST_ORDERS)
      for (const reverse of [false, true])
        for (const [name, query, passes] of [
          ['all', {}, () => true],
          ['an owner', { owner: 'third' }, (row) => row.owner === 'third'],
          ['a status', { status: ['failed'] }, (row) => row.status === 'failed'],
          [
            'times',
            { created_after: 1002, created_before: 1005, finished_after: 2003, finished_before: 2009 },
            (row) => row.created >= 1002 && row.created < 1005 && row.finished >= 2003 && row.finished < 2009,
          ],
        ] as [string, Partial<ListQuery>, (row: (typeof rows)[number]) => boolean][]) {
          const shown = rows
            .filter((row) => order !== 'finished' || row.status !== 'accepted')
            .filter((row) => order !== 'priority' || row.status === 'accepted')
            .filter(passes)
            .sort((a, b) => compare(keys[order](a), keys[order](b)) * (reverse ? -1 : 1))
            .map(({ id }) => id);
          for (const limit of [1000, 9])
            expect(
              await allPages(store, { ...query, order, reverse, limit }),
              `${name} ${order} ${reverse} ${limit}`,
            ).toEqual(shown);
        }
  });

  test('refuse the cursor of another order, and values that are none', async () => {
    const dir = tempDir();
    const store = openedStore(dir);
    timed(dir, 20);
    for (const order of LIST_ORDERS) {
      const { next_cursor: cursor } = await store.list.page({ order, limit: 1 });
      for (const other of LIST_ORDERS)
        for (const reverse of [false, true])
          if (other !== order || reverse)
            await expect(store.list.page({ order: other, reverse, limit: 1, cursor })).rejects.toThrow(
              `belongs to a list in the order "${order}"`,
            );
    }
    const made = (text: string) => Buffer.from(text).toString('base64url');
    for (const cursor of ['created:5', 'created:x:5', 'finished:1e3:5', '--created:1:5', 'created:1:5 '].map(
      made,
    ))
      await expect(store.list.page({ order: 'created', limit: 1, cursor })).rejects.toThrow('cursor');
  });

  test('by date have no place for what is no date', async () => {
    const dir = tempDir();
    const store = openedStore(dir);
    timed(dir, 20);
    rawDatabase(dir).exec(`UPDATE tasks SET created_at_ms = 'text' WHERE submit_seq = 3;
      UPDATE tasks SET created_at_ms = 9e300, finished_at_ms = X'00' WHERE submit_seq = 4;
      UPDATE tasks SET created_at_ms = 1002.5 WHERE submit_seq = 5`);
    const created = await allPages(store, { order: 'created', limit: 1 });
    expect(created).toHaveLength(18);
    expect(created).not.toContain('t3');
    expect(await allPages(store, { order: 'finished', limit: 1 })).not.toContain('t4');
  });
});
