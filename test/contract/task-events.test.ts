import { expect, test } from 'vitest';
import type { EventView } from '../../src/client/index.js';
import {
  type Daemon,
  EXECGO_IN_TASK,
  execgo,
  http,
  script,
  startDaemon,
  submitAndWait,
} from '../harness/index.js';
import { startTalker } from './talk.js';

const told = async (daemon: Daemon, id: string) =>
  (await http(daemon.url).get<EventView[]>(`/api/v1/tasks/${id}/events`)).body.filter(
    ({ event_type }) => event_type === 'task_event',
  );

test('a task adds events to its history, which the feed has, too', async () => {
  const daemon = await startDaemon();
  const { id, ask } = await startTalker(daemon);
  const first = await ask('POST', '/event', { name: 'checkpoint', data: { epoch: 4, of: [null] } });
  expect([first.status, first.body]).toEqual([200, { task_id: id, seq: expect.any(Number) }]);
  await ask('POST', '/event', { name: 'bare' });
  const events = await told(daemon, id);
  expect(events).toMatchObject([
    {
      ...{ seq: first.body.seq, type: 'task_progressed', message: 'the task says: checkpoint' },
      data: { name: 'checkpoint', data: { epoch: 4, of: [null] } },
    },
    { data: { name: 'bare' } },
  ]);
  const feed = await http(daemon.url).get('/api/v1/events?event_type=task_event');
  expect(feed.body.events).toEqual(events);
  await daemon.restart();
  expect(await told(daemon, id)).toEqual(events);
  expect((await ask('POST', '/event', { name: 'again' })).status).toBe(200);
});

test('the command line adds them inside of a task', async () => {
  const daemon = await startDaemon();
  const x = EXECGO_IN_TASK;
  const end = await submitAndWait(daemon, script(`${x} event start && ${x} event checkpoint '{"epoch":4}'`));
  expect([end.stderr, end.status]).toEqual(['', 'success']);
  expect((await told(daemon, end.task_id)).map(({ data }) => data)).toEqual([
    { name: 'start' },
    { name: 'checkpoint', data: { epoch: 4 } },
  ]);
  for (const [args, problem] of [
    [['event'], "missing required argument 'name'"],
    [['event', 'a', '{'], 'the data is not JSON'],
    [['event', 'a'], 'are not set'],
  ] as const) {
    const { code, stderr } = await execgo([...args], { daemon });
    expect([code, stderr]).toEqual([2, expect.stringContaining(problem)]);
  }
});

test('what is not understood is refused', async () => {
  const daemon = await startDaemon();
  const { id, ask } = await startTalker(daemon);
  for (const [body, problem] of [
    [{}, 'name'],
    [{ name: '' }, 'name: must not be empty'],
    [{ name: ' ' }, 'name: must have a character that can be seen'],
    [{ name: '\u001b\u0085\u2028' }, 'name: must have a character that can be seen'],
    [{ name: 5 }, 'name'],
    [{ name: 'x'.repeat(129) }, 'name: must have at most 128 characters'],
    [{ name: 'a\u0000' }, 'NUL'],
    [{ name: 'a', data: 'x'.repeat(16_384) }, 'data: must have at most 16384 bytes'],
    [{ name: 'a', more: 1 }, 'has no field "more"'],
    [[], 'body'],
  ] as const) {
    const answer = await ask('POST', '/event', body);
    expect([answer.status, answer.body.error.message]).toEqual([400, expect.stringContaining(problem)]);
  }
  expect((await ask('POST', '/event')).status).toBe(415);
  expect((await ask('POST', '/event', { name: 'a', data: 'x'.repeat(110_000) })).status).toBe(413);
  expect(await told(daemon, id)).toEqual([]);
});

test('a task that adds them without end is refused, over a restart too, and in nobody’s way', async () => {
  const daemon = await startDaemon();
  const { id, ask } = await startTalker(daemon);
  const data = 'x'.repeat(16_000);
  const bounds = new Set<string>();
  for (let i = 0; i < 80; i++) {
    const { status, body } = await ask('POST', '/event', { name: 'a', data });
    if (status === 200) continue;
    expect(status).toBe(429);
    bounds.add(body.error.details.bound);
    if (i < 79 && bounds.has('task_event_bytes')) break;
  }
  expect([...bounds].length).toBeGreaterThan(0);
  const size = async () => JSON.stringify(await told(daemon, id)).length;
  expect(await size()).toBeLessThan(1_200_000);
  expect((await http(daemon.url).get('/healthz')).status).toBe(200);
  await daemon.restart();
  // Fifty at once again, but no more bytes than it may.
  const after = [];
  for (let i = 0; i < 80; i++) after.push((await ask('POST', '/event', { name: 'b', data })).status);
  expect(new Set(after)).toEqual(new Set([200, 429]));
  expect(await size()).toBeLessThan(1_200_000);
  const last = await ask('POST', '/event', { name: 'c', data });
  // No waiting changes that.
  expect([last.status, last.body.error.details, last.headers['retry-after']]).toEqual([
    429,
    { bound: 'task_event_bytes', limit: 1_048_576 },
    undefined,
  ]);
});

test('what data may be is taken however its characters are written, and what comes too fast is refused unread', async () => {
  const daemon = await startDaemon();
  const { id, ask } = await startTalker(daemon);
  const escaped = '\\u0041'.repeat(16_382);
  expect((await ask('POST', '/event', `{"name":"a","data":"${escaped}"}`)).status).toBe(200);
  expect(await told(daemon, id)).toMatchObject([{ data: { data: 'A'.repeat(16_382) } }]);
  let last = await ask('POST', '/event', { name: 'a' });
  for (let i = 0; i < 500 && last.status === 200; i++) last = await ask('POST', '/event', { name: 'a' });
  // None of it is read: neither that it is none, nor that it is long.
  const unread = await Promise.all(['{', 'x'.repeat(110_000)].map((body) => ask('POST', '/event', body)));
  for (const { status, body, headers } of [last, ...unread])
    expect([status, body.error.details, headers['retry-after']]).toEqual([
      ...[429, { bound: 'task_event_rate', limit: 10 }, '1'],
    ]);
});
