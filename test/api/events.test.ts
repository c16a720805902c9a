import { expect, test } from 'vitest';
import { http } from '../harness/http.js';
import { openSse, serve } from './serve.js';

test('a page of all events, from the first by default', async () => {
  const { url, service } = await serve();
  for (const id of ['a', 'b', 'c']) service.happen(id);
  const seqs = async (search: string) =>
    (await http(url).get(`/api/v1/events${search}`)).body.map((e: { seq: number }) => e.seq);
  expect(await seqs('')).toEqual([1, 2, 3]);
  expect(await seqs('?after_seq=1&limit=1')).toEqual([2]);
  expect(service.asked['events']).toEqual([1, 1, 0]);
});

test('a page waits for the first event', async () => {
  const { url, service } = await serve();
  const waiting = http(url).get('/api/v1/events?wait_ms=20000');
  await expect.poll(() => service.waiting).toBe(1);
  service.happen('a');
  expect((await waiting).body).toHaveLength(1);
});

test.each(['after_seq=x', 'after_seq=-1', 'limit=0', 'limit=1001', 'wait_ms=soon'])(
  '%s is refused',
  async (search) => {
    const answer = await http((await serve()).url).get(`/api/v1/events?${search}`);
    expect(answer.body.error.message).toMatch(new RegExp(`^invalid input: ${search.split('=')[0]}: `));
  },
);

test('a stream tells what happens from now on', async () => {
  const { url, service } = await serve();
  service.happen('before');
  const sse = await openSse(`${url}/api/v1/events`);
  await expect.poll(() => service.waiting).toBe(1);
  service.happen('after');
  expect(await sse.next()).toMatchObject({
    id: '2',
    data: { seq: 2, task_id: 'after', type: 'task_started' },
  });
  expect(sse.positions).toEqual(['1']);
});

test.each([
  ['Text/Event-Stream', 'text/event-stream'],
  ['application/json, text/event-stream; q=0.5', 'text/event-stream'],
  ['text/event-stream;q=0', 'application/json'],
  ['text/event-stream; charset=utf-8; q=0.0, */*', 'application/json'],
  ['text/event-streams', 'application/json'],
])('who accepts %s is answered as %s', async (accept, type) => {
  const { url } = await serve();
  const gone = new AbortController();
  const answer = await fetch(`${url}/api/v1/events`, { headers: { accept }, signal: gone.signal });
  expect(answer.headers.get('content-type')).toContain(type);
  gone.abort();
});

test('a stream replays from any seq; Last-Event-ID goes before after_seq', async () => {
  const { url, service } = await serve();
  for (const id of ['a', 'b', 'c']) service.happen(id);
  const first = await openSse(`${url}/api/v1/events?after_seq=1`);
  expect((await first.next())?.id).toBe('2');
  expect((await first.next())?.id).toBe('3');
  const resumed = await openSse(`${url}/api/v1/events?after_seq=0`, { 'last-event-id': '2' });
  expect((await resumed.next())?.id).toBe('3');
});

test('a broken Last-Event-ID is refused', async () => {
  const { url } = await serve();
  const headers = { accept: 'text/event-stream', 'last-event-id': '-1' };
  expect((await http(url).get('/api/v1/events', headers)).body.error.code).toBe('invalid_input');
});

test('silence is filled with comments, and a reader that goes away leaves nothing behind', async () => {
  const { url, service } = await serve(5);
  const sse = await openSse(`${url}/api/v1/events`);
  void sse.next();
  await expect.poll(() => sse.comments.length).toBeGreaterThan(1);
  expect(service.waiting).toBe(1);
  sse.close();
  await expect.poll(() => service.waiting).toBe(0);
});
