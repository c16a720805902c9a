import { expect, test } from 'vitest';
import {
  command,
  eventTypes,
  http,
  script,
  startDaemon,
  submit,
  submitAndWait,
  waitFor,
  waitForEnd,
} from '../harness/index.js';

const SUBMITTED = ['submitted', 'accepted', 'planned'];
const RESERVED = [...SUBMITTED, 'resource_reserved'];
const STARTED = [...RESERVED, 'started'];

test('orders of every scenario', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '2', '--termination-grace-ms', '200'] });
  const api = http(daemon.url);
  const order = async (request: object) => eventTypes(daemon, (await submitAndWait(daemon, request)).task_id);

  expect(await order(command('true'))).toEqual([...STARTED, 'resource_released', 'finished']);
  expect(await order(command('false'))).toEqual([...STARTED, 'resource_released', 'failed']);
  expect(await order(script('kill -9 $$'))).toEqual([...STARTED, 'resource_released', 'failed']);
  expect(await order(command('sleep', ['60'], { limits: { wall_time_ms: 100 } }))).toEqual([
    ...STARTED,
    'timeout_triggered',
    'resource_released',
    'failed',
  ]);
  expect(await order(command('no-such-program'))).toEqual([...RESERVED, 'resource_released', 'failed']);

  const running = await submit(daemon, command('sleep', ['60']));
  await waitFor(async () => (await eventTypes(daemon, running)).includes('started'), { what: 'the start' });
  await api.post(`/api/v1/tasks/${running}/kill`);
  await api.post(`/api/v1/tasks/${running}/kill`);
  await waitForEnd(daemon, running);
  await api.post(`/api/v1/tasks/${running}/kill`);
  expect(await eventTypes(daemon, running)).toEqual([
    ...STARTED,
    'kill_requested',
    'resource_released',
    'cancelled',
  ]);

  const busy = [
    await submit(daemon, command('sleep', ['60'])),
    await submit(daemon, command('sleep', ['60'])),
  ];
  const waiting = await submit(daemon, command('true'));
  const killed = await api.post(`/api/v1/tasks/${waiting}/kill`);
  expect(killed.body).toMatchObject({
    status: 'cancelled',
    cause: 'cancelled',
    error: { code: 'cancelled', message: 'task cancelled before execution' },
  });
  expect(await eventTypes(daemon, waiting)).toEqual([...SUBMITTED, 'kill_requested', 'cancelled']);
  for (const id of busy) await api.post(`/api/v1/tasks/${id}/kill?wait_ms=30000`);
});

test('a degraded plan says so after it was planned', async () => {
  const daemon = await startDaemon({ cgroup: false });
  const end = await submitAndWait(daemon, command('true', [], { limits: { pids_max: 10 } }));
  expect(await eventTypes(daemon, end.task_id)).toEqual([
    ...SUBMITTED,
    'degraded',
    'resource_reserved',
    'started',
    'resource_released',
    'finished',
  ]);
  const { body } = await http(daemon.url).get(`/api/v1/tasks/${end.task_id}/events`);
  expect(body.find((e: { event_type: string }) => e.event_type === 'degraded').data).toMatchObject({
    fallback_reasons: [expect.stringContaining('pids')],
    effective_sandbox: { profile: 'process' },
  });
});

test('each has the contract’s fields, and seq orders the whole daemon', async () => {
  const daemon = await startDaemon();
  const api = http(daemon.url);
  const [a, b] = await Promise.all([
    submitAndWait(daemon, { task_id: 'a', ...command('true') }),
    submitAndWait(daemon, { task_id: 'b', ...command('false') }),
  ]);
  const events = (await api.get(`/api/v1/tasks/${a.task_id}/events`)).body;
  expect(events[0]).toEqual({
    seq: expect.any(Number),
    task_seq: 1,
    task_id: 'a',
    handle_id: 'a',
    event_type: 'submitted',
    type: 'task_submitted',
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    message: 'task submitted',
  });
  expect(events.map((e: { type: string }) => e.type)).toEqual([
    'task_submitted',
    'task_accepted',
    'task_progressed',
    'task_progressed',
    'task_started',
    'task_progressed',
    'task_succeeded',
  ]);
  expect(events[2].data).toEqual(a.execution_plan);
  expect(events[3]).toMatchObject({ data: { task_slots: 1 }, message: 'resources reserved: 1 slot' });
  expect(events[4].message).toBe(`task started: process ${a.pid}`);
  expect(events[5]).toMatchObject({ data: { task_slots: 1 }, message: 'resources released: 1 slot' });
  const all = (await api.get('/api/v1/events')).body;
  const list = all.events ?? all;
  const seqs = list.map((e: { seq: number }) => e.seq);
  expect(seqs).toEqual([...seqs].sort((x, y) => x - y));
  expect(new Set(seqs).size).toBe(14);
  const failed = (await api.get(`/api/v1/tasks/${b.task_id}/events`)).body.at(-1);
  expect(failed).toMatchObject({ event_type: 'failed', type: 'task_failed' });

  const after = events[2].seq;
  expect((await api.get(`/api/v1/tasks/a/events?after_seq=${after}&limit=2`)).body).toEqual(
    events.slice(3, 5),
  );
  expect((await api.get('/api/v1/tasks/nobody/events')).status).toBe(404);
  for (const query of ['after_seq=-1', 'after_seq=x', 'limit=-1', 'limit=1.5'])
    expect((await api.get(`/api/v1/tasks/a/events?${query}`)).body.error?.code, query).toBe('invalid_input');
});

test('the feed waits for the next event and streams with replay', async () => {
  const daemon = await startDaemon();
  const api = http(daemon.url);
  const end = await submitAndWait(daemon, command('true'));
  const last: { seq: number }[] = (await api.get('/api/v1/events')).body;
  const lastSeq = last.at(-1)!.seq;
  const waiting = api.get(`/api/v1/events?after_seq=${lastSeq}&wait_ms=30000`);
  const next = await submit(daemon, command('true'));
  const told = (await waiting).body;
  expect((told.events ?? told)[0]).toMatchObject({
    task_id: next,
    event_type: 'submitted',
    seq: lastSeq + 1,
  });
  await waitForEnd(daemon, next);

  const stream = await api.open('/api/v1/events', { accept: 'text/event-stream', 'last-event-id': '0' });
  let text = '';
  for await (const chunk of stream) {
    text += chunk as string;
    if (text.includes(next) && text.split('event_type":"finished').length > 2) break;
  }
  expect(text).toContain(end.task_id);
  expect(text).toMatch(/^id: ?1$/m);
});

test('a stream and a page that begin among events that have gone wait for the next one', async () => {
  const daemon = await startDaemon({ flags: ['--max-queued-tasks', '400', '--max-running-tasks', '16'] });
  const api = http(daemon.url);
  // A stream reads a thousand events at a time, and without a pause while there are so many.
  const tasks = Array.from({ length: 150 }, (_, i) => ({ task_id: `t${i}`, ...command('true') }));
  await api.post('/api/v1/tasks/batch', { tasks });
  for (const { task_id } of tasks) await waitForEnd(daemon, task_id);
  await api.post('/api/v1/gc?older_than_ms=0');
  expect((await api.get('/api/v1/events?limit=1')).body).toEqual([]);

  const page = api.get('/api/v1/events?after_seq=0&wait_ms=30000');
  const stream = await api.open('/api/v1/events?after_seq=0', { accept: 'text/event-stream' });
  expect((await api.get('/healthz')).status).toBe(200);
  await submit(daemon, { task_id: 'new', ...command('true') });
  expect((await page).body[0]).toMatchObject({ task_id: 'new', event_type: 'submitted' });
  let text = '';
  for await (const chunk of stream) {
    text += chunk as string;
    if (text.includes('"finished"')) break;
  }
  expect(text).toContain('"submitted"');
});
