import { expect, test } from 'vitest';
import type { Daemon } from '../harness/daemon.js';
import type { EventView, TaskView } from '../../src/task/view.js';
import { type Answer, http, script, startDaemon, submitAndWait, waitFor } from '../harness/index.js';
import { ended, OldDataDir, shell } from './old-rows.js';

type Value = string | number | bigint | Buffer | null;

const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
const JSONS: readonly Value[] = [
  ...['', '{', 'null', '5', 'true', '"text"', '[]', '{}', '[1,{"a":null}]', '1e999', '{"a":1e999}'],
  ...[
    `{"a":${deep(20_000)}}`,
    deep(20_000),
    '{"__proto__":{"a":1},"constructor":5}',
    '{"a":"\\ud800\\u0000"}',
  ],
  ...[Buffer.from('{"a":1}'), Buffer.from([0xff, 0, 0x80]), 5, 1.5, null],
];
const NUMBERS: readonly Value[] = [
  ...['text', '', '5x', '9'.repeat(40), Buffer.from([1, 2]), 1.5, -1, 0, 1e300, -1e300],
  ...[2n ** 63n - 1n, -(2n ** 63n), 8.64e15 + 1, null],
];
const TEXTS: readonly Value[] = ['', 'weird', '\0', 'x'.repeat(100_000), Buffer.from([0xff]), 5, 1.5, null];

const command = (fields: object) => JSON.stringify({ kind: 'command', program: 'true', ...fields });
const plan = (fields: object) =>
  JSON.stringify({ capability_mode: 'strict', effective_sandbox: {}, resource_enforcement: {}, ...fields });

/** Column → what stands in it. */
const ODD: Record<string, readonly Value[]> = {
  execution_json: [
    ...JSONS,
    ...[{ args: [1, null, {}, ['a'], 'b'] }, { args: 'a' }, { args: { 0: 'a' } }, { program: 5 }].map(
      command,
    ),
    ...[{ env: { A: 1 } }, { env: [1] }, { env: 'A=1' }, { kind: 5 }, { kind: 'script', script: [1] }].map(
      command,
    ),
    ...[
      { cwd: 5 },
      { interpreter: [5] },
      { kind: 'script', script: 'true', program: undefined, env: { A: {} } },
    ].map(command),
  ],
  limits_json: [...JSONS, '{"pids_max":"5"}', '{"stdout_max_bytes":-1}', '{"memory_bytes":1e300}'],
  sandbox_json: [
    ...JSONS,
    '{"profile":5}',
    '{"workspace_subdir":["a"]}',
    '{"chroot":"yes"}',
    '{"namespaces":[1]}',
  ],
  metadata_json: [...JSONS, '{"a":{"b":1}}', '{"execgo.pin":["true"]}'],
  control_context_json: [
    ...JSONS,
    '{"labels":{"a":1}}',
    '{"queue":{"a":1}}',
    '{"tenant":[1]}',
    '{"owner":5}',
  ],
  execution_plan_json: [
    ...JSONS,
    ...[
      {},
      { effective_sandbox: 5 },
      { effective_sandbox: { chroot: {} } },
      { resource_enforcement: [1] },
    ].map(plan),
    ...[
      { capability_mode: 5 },
      { resource_enforcement: { wall_time_source: 'default', wall_time_ms: 'x' } },
    ].map(plan),
  ],
  reservation_json: [
    ...JSONS,
    '{"task_slots":"1"}',
    '{"task_slots":-1e18}',
    '{"memory_bytes":{}}',
    '{"pids":1e999}',
  ],
  usage_json: [...JSONS, '{"duration_ms":"5"}', '{"user_cpu_ms":[1]}'],
  error_json: [
    ...JSONS,
    '{"code":5,"message":{}}',
    '{"code":"weird","message":"words"}',
    '{"message":"words"}',
  ],
  result_json: JSONS,
  error_code: TEXTS,
  handle_id: TEXTS,
  task_dir: TEXTS,
  workspace_dir: TEXTS,
  request_path: TEXTS,
  script_path: TEXTS,
  status: TEXTS,
  kill_requested: NUMBERS,
  timeout_triggered: NUMBERS,
  stdout_max_bytes: NUMBERS,
  ...Object.fromEntries(
    ['created', 'updated', 'started', 'finished', 'kill_requested', 'reserved', 'released'].map((name) => [
      `${name}_at_ms`,
      NUMBERS,
    ]),
  ),
  ...Object.fromEntries(
    ['duration_ms', 'shim_pid', 'pid', 'pgid', 'exit_code', 'exit_signal'].map((name) => [name, NUMBERS]),
  ),
};

/**
 * Columns that nobody reads, flags that are set by whatever is not 0, and a status that is none: such a task has failed, and its
 * error says so.
 */
const SAY_NOTHING = [
  'result_json',
  'handle_id',
  'task_dir',
  'workspace_dir',
  'request_path',
  'script_path',
].concat(['status', 'kill_requested', 'timeout_triggered', 'stdout_max_bytes']);
const STATUSES = { accepted: {}, running: { status: 'running' }, success: ended(0), failed: ended(1) };

async function listed(daemon: Daemon, query = ''): Promise<string[]> {
  const ids: string[] = [];
  let cursor = '';
  do {
    const page = await http(daemon.url).get(`/api/v1/tasks?limit=1000${query}${cursor}`);
    if (page.status !== 200)
      throw new Error(`${query} is answered with ${page.status}: ${page.text.slice(0, 500)}`);
    ids.push(...(page.body.tasks as { task_id: string }[]).map(({ task_id }) => task_id));
    cursor = page.body.next_cursor === undefined ? '' : `&cursor=${page.body.next_cursor}`;
  } while (cursor !== '');
  return ids;
}

/** Asks something about each of many tasks, some at a time. @returns what was not answered as it should be */
async function askAll(
  ids: Iterable<string>,
  ask: (id: string) => Promise<[what: string, answer: Answer<unknown>][]>,
) {
  const left = [...ids];
  const bad: string[] = [];
  const worker = async () => {
    for (let id = left.pop(); id !== undefined; id = left.pop())
      for (const [what, { status, text }] of await ask(id))
        if (status !== 200) bad.push(`${id} ${what} ${status} ${text.slice(0, 200)}`);
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  return bad;
}

test('rows that are odd in any column are listed, shown, killed and deleted, and say what of them is', async () => {
  const old = new OldDataDir({ constraints: false });
  const columns = new Map<string, string>();
  // It keeps those that could run from it: that is another test's, and takes long.
  old.add('holder', { execution: shell('sleep 600') });
  const [accepted, ...others] = Object.entries(STATUSES);
  for (const [column, values] of Object.entries(ODD))
    for (const [n, value] of values.entries())
      for (const [status, row] of [accepted!, others[n % others.length]!]) {
        const id = `${status}.${column}.${n}`;
        columns.set(id, column);
        old.add(id, { row: { ...row, [column]: value } }, false);
      }
  const daemon = await startDaemon({ dataDir: old.close(), flags: ['--max-running-tasks', '1'] });
  const { get } = http(daemon.url);
  expect((await listed(daemon)).sort()).toEqual(['holder', ...columns.keys()].sort());
  for (const query of [
    'text=tru',
    'label=a=1',
    'tenant=1',
    'owner=5',
    'queue=default',
    'order=oldest',
    'cause=exit',
  ])
    await listed(daemon, `&${query}`);

  const warned = new Set<string>();
  const shown = await askAll(columns.keys(), async (id) => {
    const status = await get<TaskView>(`/api/v1/tasks/${id}`);
    expect(status.body.task_id).toBe(id);
    if (status.body.warnings?.some((text) => / cannot be read | is not shown /.test(text)))
      warned.add(columns.get(id)!);
    return [
      ['status', status],
      ['events', await get(`/api/v1/tasks/${id}/events`)],
    ];
  });
  expect(shown).toEqual([]);
  expect(Object.keys(ODD).filter((column) => !warned.has(column))).toEqual(SAY_NOTHING);

  const weird = await get('/api/v1/tasks/accepted.status.1');
  expect(weird.body).toMatchObject({
    status: 'failed',
    error: { message: expect.stringContaining('status') },
  });

  const killed = await askAll([...columns.keys(), 'holder'], async (id) => [
    ['kill', await http(daemon.url).post(`/api/v1/tasks/${id}/kill?grace_ms=0`)],
  ]);
  expect(killed).toEqual([]);
  await waitFor(async () => (await listed(daemon, '&status=accepted,running')).length === 0);
  expect((await get('/api/v1/runtime/resources')).body.reserved.task_slots).toBe(0);
  expect((await get('/metrics')).text).not.toMatch(/NaN|Infinity/);
  await daemon.restart();
  expect(await listed(daemon)).toHaveLength(columns.size + 1);
  const some = [...columns.keys()].filter((_, n) => n % 5 === 0);
  const deleted = await askAll(some, async (id) => [
    ['delete', await http(daemon.url).delete(`/api/v1/tasks/${id}`)],
  ]);
  expect(deleted).toEqual([]);
  const collected = await http(daemon.url).post('/api/v1/gc', { older_than_ms: 0 });
  expect(collected.body).toMatchObject({ removed: columns.size + 1 - some.length, problems: [] });
  expect(await listed(daemon)).toEqual([]);
});

test('events that are odd in any column are told, and others follow them', async () => {
  const old = new OldDataDir({ constraints: false });
  old.add('odd', { row: ended(0) }, false);
  const insert = old.db.prepare(
    'INSERT INTO task_events (seq, task_id, event_type, timestamp_ms, message, data_json) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const add = (type: Value, at: Value, message: Value, data: Value, seq: Value = null) =>
    insert.run(seq, 'odd', type, at, message, data);
  for (const value of TEXTS) add(value, 5, 'words', '{}');
  for (const value of NUMBERS) add('started', value, 'words', '{}');
  for (const value of TEXTS) add('started', 5, value, '{}');
  for (const value of JSONS)
    for (const type of ['degraded', 'resource_reserved', 'started']) add(type, 5, null, value);
  for (const seq of [2n ** 63n - 2n, -5, 0, 2 ** 53]) add('started', 5, null, null, seq);
  const count = 4 + 2 * TEXTS.length + NUMBERS.length + 3 * JSONS.length;
  const daemon = await startDaemon({ dataDir: old.close() });
  await submitAndWait(daemon, script('true', { task_id: 'new' }));
  const { get } = http(daemon.url);
  const events = (await get('/api/v1/tasks/odd/events')).body as EventView[];
  expect(events).toHaveLength(count + 3);
  for (const { seq, timestamp, message, type, event_type } of events) {
    expect([seq > 0, Number.isSafeInteger(seq), Date.parse(timestamp) >= -8.64e15]).toEqual([
      true,
      true,
      true,
    ]);
    expect([typeof message, typeof type, typeof event_type]).toEqual(['string', 'string', 'string']);
  }
  const all = (await get('/api/v1/events?limit=1000')).body as EventView[];
  expect(all.at(-1)?.task_id).toBe('new');
  expect(all.map(({ seq }) => seq)).toEqual([...new Set(all.map(({ seq }) => seq))].sort((a, b) => a - b));
});

test('ids that are none, or another’s, are given names by which their tasks are shown and deleted', async () => {
  const old = new OldDataDir({ constraints: false });
  const { db } = old;
  const ids: readonly Value[] = [
    null,
    null,
    Buffer.from([0xff]),
    Buffer.from('twice'),
    'twice',
    'twice',
    5,
    1.5,
  ];
  db.exec(
    'ALTER TABLE tasks RENAME TO with_key; CREATE TABLE tasks AS SELECT * FROM with_key; DROP TABLE with_key',
  );
  for (const [n, id] of ids.entries()) {
    old.add(`row-${n}`, { row: ended(0) }, false);
    db.prepare('UPDATE tasks SET task_id = ? WHERE task_id = ?').run(id, `row-${n}`);
  }
  old.add('text', { row: ended(0) }, false);
  db.exec("UPDATE tasks SET task_id = CAST(x'61ff' AS TEXT) WHERE task_id = 'text'");
  const daemon = await startDaemon({ dataDir: old.close() });
  const names = await listed(daemon);
  expect(names).toHaveLength(ids.length + 1);
  expect(names.filter((name) => !name.startsWith('unreadable-')).sort()).toEqual(['1.5', '5.0', 'twice']);
  const answers = await askAll(names, async (id) => [
    ['status', await http(daemon.url).get(`/api/v1/tasks/${id}`)],
    ['delete', await http(daemon.url).delete(`/api/v1/tasks/${id}`)],
  ]);
  expect(answers).toEqual([]);
  expect(await listed(daemon)).toEqual([]);
});
