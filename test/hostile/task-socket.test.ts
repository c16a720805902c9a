import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { http, startDaemon, waitFor } from '../harness/index.js';
import { say, startTalker } from '../contract/talk.js';

test('a task that asks without end is slowed down and refused, and is in nobody else’s way', async () => {
  const daemon = await startDaemon();
  const [flood, other] = [await startTalker(daemon), await startTalker(daemon)];
  await say(daemon, other.id, { type: 'a' });
  let asks = true;
  const seen = new Set<number>();
  const asking = Array.from({ length: 60 }, async () => {
    while (asks) seen.add((await flood.ask('GET', '/commands')).status);
  });
  for (let i = 0; i < 20; i++) {
    expect((await http(daemon.url).get('/healthz')).status).toBe(200);
    expect((await other.ask('GET', '/commands')).body.commands).toMatchObject([{ seq: 1 }]);
  }
  asks = false;
  await Promise.all(asking);
  expect([...seen].sort()).toEqual([200, 429]);
  // It is heard again once it has waited.
  expect((await flood.ask('GET', '/commands')).status).toBe(200);
});

test('waits of a task are bounded, and a refusal says when to come back', async () => {
  const daemon = await startDaemon();
  const { ask, id } = await startTalker(daemon);
  const refusals: Awaited<ReturnType<typeof ask>>[] = [];
  const waits = Array.from({ length: 40 }, async () => {
    const answer = await ask('GET', '/commands?wait_ms=60000');
    if (answer.status === 429) refusals.push(answer);
    return answer;
  });
  await waitFor(() => refusals.length === 8, { what: 'eight refusals' });
  for (const { body, headers } of refusals)
    expect([body.error.code, headers['retry-after']]).toEqual(['resource_limit_exceeded', '1']);
  await say(daemon, id, { type: 'a' });
  const statuses = (await Promise.all(waits)).map(({ status }) => status);
  expect(statuses.filter((status) => status === 200)).toHaveLength(32);
  expect(statuses.filter((status) => status === 429)).toHaveLength(8);
});

test('who connects and says nothing, or no HTTP, keeps no task from talking', async () => {
  const daemon = await startDaemon();
  const { socket, ask } = await startTalker(daemon);
  const open: Socket[] = [];
  onTestFinished(() => {
    for (const each of open) each.destroy();
  });
  for (let i = 0; i < 300; i++) {
    const each = connect(socket);
    each.on('error', () => undefined);
    if (i % 2 === 0) each.write(i % 4 === 0 ? '\u0000\u0001' : 'GET /commands HTTP/1.1\r\nhost: x\r\n');
    open.push(each);
  }
  for (let i = 0; i < 10; i++) expect((await ask('GET', '/commands')).status).toBe(200);
  expect((await http(daemon.url).get('/healthz')).status).toBe(200);
});

test('a task that does not read its answers is refused more, and has no more of them than it may', async () => {
  const daemon = await startDaemon();
  const { socket, token, id, ask } = await startTalker(daemon);
  const payload = 'x'.repeat(65_000);
  for (let i = 0; i < 40; i++) await say(daemon, id, { type: 'a', payload });
  const request = `GET /commands?limit=200 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n\r\n`;
  const open: Socket[] = [];
  onTestFinished(() => {
    for (const each of open) each.destroy();
  });
  for (let i = 0; i < 30; i++) {
    const each = connect(socket);
    each.pause();
    each.on('error', () => undefined);
    // Also several in one connection.
    each.write(request.repeat(1 + (i % 3)));
    open.push(each);
  }
  const refused = await waitFor(
    async () => {
      const answer = await ask('GET', '/commands?limit=1');
      return answer.status === 429 ? answer : undefined;
    },
    { what: 'a refusal' },
  );
  expect(refused.body.error.details).toEqual({ bound: 'task_requests' });
  for (const each of open) each.destroy();
  await waitFor(async () => (await ask('GET', '/commands?limit=1')).status === 200, { what: 'an answer' });
});

test('who has no token is slowed down, and has a new connection each time', async () => {
  const daemon = await startDaemon();
  const { socket, ask } = await startTalker(daemon);
  const stranger = http(`unix:${socket}`);
  const refused = await Promise.all(
    Array.from({ length: 150 }, () => stranger.get('/commands', { connection: 'keep-alive' })),
  );
  for (const { status, headers } of refused) expect([status, headers['connection']]).toEqual([401, 'close']);
  const before = performance.now();
  await Promise.all(Array.from({ length: 20 }, () => stranger.get('/commands')));
  expect(performance.now() - before).toBeGreaterThan(50);
  expect((await ask('GET', '/commands')).status).toBe(200);
});
