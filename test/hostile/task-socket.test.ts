import { connect, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { http, startDaemon } from '../harness/index.js';
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
  const waits = Array.from({ length: 40 }, () => ask('GET', '/commands?wait_ms=60000'));
  const refused = await Promise.any(waits);
  expect([refused.status, refused.body.error.code, refused.headers['retry-after']]).toEqual([
    ...[429, 'resource_limit_exceeded', '1'],
  ]);
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
