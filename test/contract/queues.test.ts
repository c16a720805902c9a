import { expect, test } from 'vitest';
import type { QueuePage, QueueView } from '../../src/task/queues.js';
import {
  command,
  type Daemon,
  http,
  startDaemon,
  submit,
  submitAndWait,
  waitFor,
  waitForEnd,
} from '../harness/index.js';

const path = (queue: string) => `/api/v1/queues/${encodeURIComponent(queue)}`;
const inQueue = (queue: string, more: object = {}) => ({ control_context: { queue, ...more } });
const put = async (daemon: Daemon, queue: string, rule: object) => {
  const answer = await http(daemon.url).put<QueueView>(path(queue), rule);
  expect(answer.status, answer.text).toBe(200);
  return answer.body;
};
const queue = async (daemon: Daemon, name: string) =>
  (await http(daemon.url).get<QueueView>(path(name))).body;
const statusOf = async (daemon: Daemon, id: string) =>
  (await http(daemon.url).get(`/api/v1/tasks/${id}`)).body.status as string;
const runs = (daemon: Daemon, id: string) =>
  waitFor(async () => (await statusOf(daemon, id)) === 'running', { what: `the start of ${id}` });
const kill = (daemon: Daemon, id: string) =>
  http(daemon.url).post(`/api/v1/tasks/${id}/kill?grace_ms=0&wait_ms=60000`);

test('a queue is there as long as it has a rule or tasks', async () => {
  const daemon = await startDaemon();
  const api = http(daemon.url);
  const notFound = { code: 'not_found', message: 'queue not found: q', details: { queue: 'q' } };
  expect((await api.get(path('q'))).body.error).toEqual(notFound);
  expect((await api.delete(path('q'))).body.error.message).toBe('queue has no rule: q');
  expect((await api.get('/api/v1/queues')).body).toMatchObject({ queues: [] });
  const made = await put(daemon, 'q', { max_running: 3, lanes: { l: { max_running: null } } });
  expect(made).toMatchObject({
    queue: 'q',
    rule: { max_running: 3, paused: false, priority: 0, default_limits: {}, lanes: {} },
    counts: { accepted: 0, running: 0, success: 0, failed: 0, cancelled: 0 },
    next: [],
  });
  expect(await put(daemon, 'q', {})).toMatchObject({ rule: { paused: false } });
  expect((await queue(daemon, 'q')).rule).not.toHaveProperty('max_running');
  const id = await submit(daemon, command('true', [], inQueue('q', { lane: 'l' })));
  await waitForEnd(daemon, id);
  expect((await api.delete(path('q'))).body).toEqual({ queue: 'q', deleted: true });
  expect(await queue(daemon, 'q')).toMatchObject({
    version: 0,
    counts: { accepted: 0, running: 0, success: 1 },
    lanes: [{ lane: 'l', counts: { success: 1 } }],
    started_per_minute: 1,
    ended_per_minute: 1,
  });
  expect((await api.delete(`/api/v1/tasks/${id}`)).status).toBe(200);
  expect((await api.get(path('q'))).status).toBe(404);
});

test('a wrong rule is refused by name, and changes nothing', async () => {
  const daemon = await startDaemon();
  const wrong: [body: unknown, message: RegExp][] = [
    [{ max_runing: 1 }, /^invalid input: body: has no field "max_runing"$/],
    [{ max_running: -1 }, /max_running: must be at least 0/],
    [{ max_running: 1.5 }, /max_running: must be a whole number/],
    [{ max_running: '1' }, /max_running: /],
    [{ max_waiting: 2 ** 53 }, /max_waiting: must be /],
    [{ paused: 'yes' }, /paused: /],
    [{ priority: 0.5 }, /priority: must be a whole number/],
    [{ priority: null, lanes: [] }, /lanes: /],
    [{ lanes: { l: 5 } }, /lanes\.l: /],
    [{ lanes: { ' ': {} } }, /lanes\. : must not be empty/],
    [{ lanes: { l: { paused: true } } }, /lanes\.l: has no field "paused"/],
    [
      { lanes: Object.fromEntries([...Array(101).keys()].map((i) => [i, {}])) },
      /lanes: must have at most 100 lanes/,
    ],
    [{ default_limits: { wall_time: 5 } }, /default_limits: has no field "wall_time"/],
    [{ default_limits: { memory_bytes: 0 } }, /default_limits\.memory_bytes: must be greater than 0/],
    [{ default_limits: { nice: 20 } }, /default_limits\.nice: /],
    [{ if_version: -1 }, /if_version: /],
    [[], /body: /],
    [null, /body: /],
    ['"text"', /body: /],
    ['{"lanes":{"__proto__":{}}}', /lanes\.__proto__: this key cannot be used/],
    ['{', /body: is not valid JSON/],
  ];
  const api = http(daemon.url);
  for (const [body, message] of wrong) {
    const answer = await api.put(path('q'), body === null ? 'null' : body);
    expect([answer.status, answer.body.error.code], JSON.stringify(body)).toEqual([400, 'invalid_input']);
    expect(answer.body.error.message).toMatch(message);
  }
  expect((await api.put(path('q'), 'x', { 'content-type': 'text/plain' })).status).toBe(415);
  for (const name of ['%20', '%00', '%E2%80%8B%00', 'x'.repeat(1025)])
    expect((await api.put(`/api/v1/queues/${name}`, {})).body.error.message, name).toMatch(
      /^invalid input: queue: must /,
    );
  expect((await api.put('/api/v1/queues/%zz', {})).status).toBe(400);
  expect((await api.get('/api/v1/queues/')).status).toBe(404);
  expect((await api.post('/api/v1/queues/q', {})).headers['allow']).toBe('DELETE, GET, HEAD, PUT');
  for (const query of ['limit=0', 'limit=201', 'limit=x', 'cursor=', 'cursor=%21', 'limit=1&limit=2'])
    expect((await api.get(`/api/v1/queues?${query}`)).status, query).toBe(400);
  expect((await api.get('/api/v1/queues')).body.queues).toEqual([]);
});

/** Every one of them may be the name of a queue. */
const NAMES = [
  ...[
    '.',
    '..',
    '...',
    '/',
    '//',
    'a/b',
    '/etc/passwd',
    '../../healthz',
    'a%2Fb',
    '%',
    '%2e%2e',
    '%zz',
    '?',
    '#',
  ],
  ...[
    'a?b=c#d',
    'a b',
    ' lead',
    'trail ',
    'a\nb',
    'a\r\nhost: evil',
    'a\tb',
    '\u0001',
    '\u007f',
    '\u0085',
    '\u00a0x',
  ],
  ...[
    '\u200b',
    '\u202e',
    'x\ufeff',
    '\ufffd',
    '\ud7ff',
    '\ue000',
    '\uffff',
    '\u{10000}',
    '\u{10ffff}',
    'e\u0301',
    '\u00e9',
  ],
  ...[
    '"',
    "'",
    '\\',
    '`',
    '$(id)',
    '<b>',
    '{}',
    '[]',
    '*',
    ':',
    ':queue',
    ';',
    '&',
    '=',
    '+',
    ',',
    '@',
    '~',
    '-',
    '_',
  ],
  ...[
    'constructor',
    '__proto__',
    'toString',
    'null',
    'undefined',
    'true',
    '0',
    '-1',
    'batch',
    'queues',
    'DEFAULT',
  ],
  ...['x'.repeat(1024), '\u{1f600}'.repeat(256), '\u20ac'.repeat(341)],
];

test('every name that a task may give its queue is reached, as is each lane', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1', '--max-queued-tasks', '1000'] });
  const api = http(daemon.url);
  // A client that does not tidy up what it is given: "." and ".." are names here.
  const raw = (name: string) => `/api/v1/queues/${encodeURIComponent(name)}`;
  const put = (name: string) =>
    rawRequest(daemon, 'PUT', raw(name), {
      paused: true,
      lanes: { [name === '__proto__' ? 'l' : name]: {} },
    });
  for (const name of NAMES) {
    const set = await put(name);
    expect([set.status, set.body.queue], JSON.stringify(name)).toEqual([200, name]);
    await submit(daemon, command('true', [], inQueue(name, { lane: name })));
    expect((await rawRequest(daemon, 'GET', raw(name))).body).toMatchObject({
      queue: name,
      counts: { accepted: 1 },
      lanes: [{ lane: name, counts: { accepted: 1 } }],
      next: [{ lane: name }],
    });
  }
  const listed: string[] = [];
  let cursor = '';
  do {
    const { body } = await api.get<QueuePage>(`/api/v1/queues?limit=7${cursor}`);
    listed.push(...body.queues.map((view) => view.queue));
    cursor = body.next_cursor === undefined ? '' : `&cursor=${encodeURIComponent(body.next_cursor)}`;
  } while (cursor !== '');
  const bytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
  expect(listed).toEqual([...NAMES].sort(bytes));
  const { text } = await api.get('/metrics');
  expect(text.match(/^execgo_runtime_queue_paused\{/gm)).toHaveLength(NAMES.length);
  await daemon.restart();
  for (const name of NAMES) {
    expect((await rawRequest(daemon, 'GET', raw(name))).body).toMatchObject({ rule: { paused: true } });
    expect((await rawRequest(daemon, 'DELETE', raw(name))).body).toEqual({ queue: name, deleted: true });
  }
  const ended = async () => {
    const { body } = await http(daemon.url).get<QueuePage>('/api/v1/queues?limit=200');
    return body.queues.every(({ counts }) => counts.success === 1);
  };
  await waitFor(ended, { what: 'the end of all' });
});

/** As {@link http}, without taking "." and ".." out of the path. */
function rawRequest(daemon: Daemon, method: string, target: string, body?: object) {
  return http(daemon.url).request(method, target, { body, asIs: true });
}

test('names that are too long are refused for queue and lane', async () => {
  const { url } = await startDaemon();
  for (const context of [{ queue: 'x'.repeat(1025) }, { lane: '\u20ac'.repeat(342) }]) {
    const answer = await http(url).post('/api/v1/tasks', command('true', [], { control_context: context }));
    expect([answer.status, answer.body.error.message]).toEqual([
      400,
      expect.stringMatching(/^invalid input: control_context\.(queue|lane): must have at most 1,024 bytes$/),
    ]);
  }
});

test('a paused queue keeps its tasks over a kill, delays nobody, and its running tasks go on', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '2', '--starvation-ms', '1'] });
  const running = await submit(daemon, command('sleep', ['600'], inQueue('q')));
  await runs(daemon, running);
  await put(daemon, 'q', { paused: true });
  const kept = await submit(daemon, command('true', [], { ...inQueue('q'), policy: { priority: 1000 } }));
  expect((await submitAndWait(daemon, command('true'))).status).toBe('success');
  expect(await queue(daemon, 'q')).toMatchObject({
    rule: { paused: true },
    counts: { accepted: 1, running: 1 },
    slots_in_use: 1,
    next: [{ task_id: kept, priority: 1000 }],
    oldest_waiting_ms: expect.any(Number),
  });
  await daemon.kill();
  await daemon.restart();
  expect(await statusOf(daemon, running)).toBe('running');
  expect((await submitAndWait(daemon, command('true'))).status).toBe('success');
  expect(await statusOf(daemon, kept)).toBe('accepted');
  await put(daemon, 'q', { paused: false });
  expect((await waitForEnd(daemon, kept)).status).toBe('success');
  expect((await kill(daemon, running)).body.status).toBe('cancelled');
  expect(await queue(daemon, 'q')).toMatchObject({ counts: { success: 1, cancelled: 1 }, slots_in_use: 0 });
});

test('a queue and a lane run no more than they may; a lower bound ends nothing, a higher one counts at once', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '8'] });
  const sleep = (lane?: string) =>
    submit(daemon, command('sleep', ['600'], inQueue('q', lane ? { lane } : {})));
  await put(daemon, 'q', { max_running: 3, lanes: { l: { max_running: 1 } } });
  const ids = [await sleep('l'), await sleep('l'), await sleep(), await sleep(), await sleep()];
  const counts = async () => (await queue(daemon, 'q')).counts;
  await waitFor(async () => (await counts()).running === 3);
  expect(await Promise.all(ids.map((id) => statusOf(daemon, id)))).toEqual([
    ...['running', 'accepted', 'running', 'running', 'accepted'],
  ]);
  expect((await queue(daemon, 'q')).lanes).toMatchObject([
    { lane: 'l', max_running: 1, counts: { accepted: 1, running: 1 } },
  ]);
  expect(await put(daemon, 'q', { max_running: 1 })).toMatchObject({ counts: { accepted: 2, running: 3 } });
  await kill(daemon, ids[2]!);
  expect(await counts()).toMatchObject({ accepted: 2, running: 2 });
  await put(daemon, 'q', { max_running: 4, lanes: { l: { max_running: 0 } } });
  await runs(daemon, ids[4]!);
  expect(await counts()).toMatchObject({ accepted: 1, running: 3 });
  await http(daemon.url).delete(path('q'));
  await runs(daemon, ids[1]!);
  await Promise.all(ids.map((id) => kill(daemon, id)));
});

test('a queue that may hold no more refuses, and says which bound it was', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1', '--max-queued-tasks', '4'] });
  const api = http(daemon.url);
  const send = (name: string, task_id?: string) =>
    api.post('/api/v1/tasks', command('sleep', ['600'], { task_id, ...inQueue(name) }));
  await put(daemon, 'q', { max_waiting: 2, paused: true });
  await put(daemon, 'none', { max_waiting: 0 });
  expect((await send('q', 'first')).status).toBe(200);
  const batch = await api.post('/api/v1/tasks/batch', {
    tasks: [1, 2, 3].map(() => command('true', [], inQueue('q'))),
  });
  const refusal = {
    code: 'resource_limit_exceeded',
    message: 'queue q is full: its max_waiting is 2',
    details: { bound: 'max_waiting', queue: 'q', limit: 2 },
  };
  expect(batch.body.map((item: { error?: object }) => item.error)).toEqual([undefined, refusal, refusal]);
  const refused = await send('q');
  expect([refused.status, refused.body.error, refused.headers['retry-after']]).toEqual([429, refusal, '1']);
  expect((await send('none')).body.error.details).toEqual({ bound: 'max_waiting', queue: 'none', limit: 0 });
  const others = [await send('other'), await send('other'), await send('other')];
  expect(others.map(({ status }) => status)).toEqual([200, 200, 200]);
  const full = await send('other');
  expect([full.status, full.body.error, full.headers['retry-after']]).toEqual([
    429,
    {
      code: 'resource_limit_exceeded',
      message: 'queue is full',
      details: { bound: 'max_queued_tasks', limit: 4 },
    },
    '1',
  ]);
  // Lowered below what waits: nothing is thrown out.
  expect(await put(daemon, 'q', { max_waiting: 0, paused: true })).toMatchObject({ counts: { accepted: 2 } });
  expect(await statusOf(daemon, 'first')).toBe('accepted');
});

test('the limits of a queue are those of its tasks that name none, from then on', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1'] });
  const api = http(daemon.url);
  const default_limits = { wall_time_ms: 50_000, memory_bytes: 64_000_000, stdout_max_bytes: 3, nice: 5 };
  await put(daemon, 'q', { paused: true, default_limits });
  const dry = await api.post('/api/v1/tasks?dry_run=true', command('true', [], inQueue('q')));
  expect(dry.body).toMatchObject({
    plan: { resource_enforcement: { wall_time_ms: 50_000, wall_time_source: 'request', nice: 5 } },
    reservation: { memory_bytes: 64_000_000 },
  });
  const own = await submit(
    daemon,
    command('echo', ['hello'], { ...inQueue('q'), limits: { wall_time_ms: 40_000, memory_bytes: null } }),
  );
  await put(daemon, 'q', { default_limits: { wall_time_ms: 1 } });
  expect(await waitForEnd(daemon, own)).toMatchObject({
    status: 'success',
    stdout: 'hel',
    limits: { wall_time_ms: 40_000, memory_bytes: 64_000_000, nice: 5 },
  });
  expect((await api.get(`/api/v1/tasks/${own}/request`)).body.limits).toEqual({
    wall_time_ms: 40_000,
    memory_bytes: null,
  });
  expect(await submitAndWait(daemon, command('sleep', ['600'], inQueue('q')))).toMatchObject({
    cause: 'timeout',
  });
  // The same key and body are the first answer, whatever holds of the queue by then.
  const keyed = command('true', [], inQueue('q', { idempotency_key: 'k' }));
  const first = await submit(daemon, keyed);
  await put(daemon, 'q', { max_waiting: 0, default_limits: { wall_time_ms: 2 } });
  expect(await submit(daemon, keyed)).toBe(first);
});

test('a rule that was changed meanwhile is not overwritten by who names its version', async () => {
  const daemon = await startDaemon();
  const { version } = await put(daemon, 'q', { if_version: 0, max_running: 1 });
  const again = await http(daemon.url).put(path('q'), { if_version: 0 });
  expect([again.status, again.body.error.code, again.body.error.details]).toEqual([
    409,
    'conflict',
    { version },
  ]);
  const answers = await Promise.all(
    [1, 2, 3].map((max_running) => http(daemon.url).put(path('q'), { if_version: version, max_running })),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
  const winner = answers.find(({ status }) => status === 200)!;
  expect((await queue(daemon, 'q')).rule).toEqual(winner.body.rule);
});

test('thousands of tasks of one tenant do not hold up one task of another, nor those of a queue that comes first', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1'] });
  const api = http(daemon.url);
  const blocker = await submit(daemon, command('sleep', ['600'], inQueue('bulk', { tenant: 'many' })));
  await runs(daemon, blocker);
  const bulk = command('true', [], { ...inQueue('bulk', { tenant: 'many' }), policy: { priority: 100 } });
  for (let i = 0; i < 3; i++) {
    const answer = await api.post('/api/v1/tasks/batch', { tasks: Array(1000).fill(bulk) });
    expect(answer.body.every((item: { task_id?: string }) => item.task_id !== undefined)).toBe(true);
  }
  const one = await submit(daemon, command('true', [], inQueue('small', { tenant: 'few' })));
  await put(daemon, 'urgent', { priority: 1 });
  const first = await submit(daemon, command('true', [], inQueue('urgent', { tenant: 'many' })));
  expect(await queue(daemon, 'bulk')).toMatchObject({ counts: { accepted: 3000, running: 1 } });
  expect((await queue(daemon, 'bulk')).next).toHaveLength(20);
  await kill(daemon, blocker);
  const [ofOne, ofFirst] = [await waitForEnd(daemon, one), await waitForEnd(daemon, first)];
  expect([ofOne.status, ofFirst.status]).toEqual(['success', 'success']);
  expect(Date.parse(ofFirst.started_at!)).toBeLessThanOrEqual(Date.parse(ofOne.started_at!));
  const { body } = await api.get('/api/v1/tasks?queue=bulk&status=success&order=oldest&limit=1000');
  const before = (body.tasks as { started_at: string }[]).filter(
    ({ started_at }) => Date.parse(started_at) < Date.parse(ofOne.started_at!),
  );
  expect(before.length).toBeLessThanOrEqual(1);
  await put(daemon, 'bulk', { paused: true });
});
