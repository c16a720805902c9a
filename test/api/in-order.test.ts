import net from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { http } from '../harness/http.js';
import { raw, serve } from './serve.js';

/** A request that ends a conversation, and how its answer ends. */
const PROBE = 'GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n';
const PROBE_ANSWER = '{"status":"ok","version":"1.2.3"}';

/** Opens a connection, sends `text`, and leaves it open until the test has finished. */
async function open(port: number, text: string): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => undefined);
  await new Promise<void>((resolve) => socket.write(text, () => resolve()));
  return socket;
}

const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n${more}\r\n`;

test('all that the requests of a connection hold ends with it, also of those behind another', async () => {
  const { port, service } = await serve();
  service.add('runs');
  const wait = get('/api/v1/tasks/runs?wait_ms=60000');
  const held = [
    wait,
    get('/api/v1/events?wait_ms=60000'),
    get('/api/v1/events', 'accept: text/event-stream\r\n'),
    get('/api/v1/tasks/runs/output/stream'),
    'POST /api/v1/tasks/runs/kill?wait_ms=60000 HTTP/1.1\r\nhost: localhost\r\n\r\n',
  ];
  // A body that nobody reads is in the way of the connection's end.
  const unread = `${get('/api/v1/tasks/runs?wait_ms=60000', 'content-length: 200000\r\n')}${'x'.repeat(150_000)}`;
  for (const first of [...held, unread]) {
    for (const second of held) {
      const socket = await open(port, `${first}${second}`);
      await expect.poll(() => service.waiting).toBeGreaterThan(0);
      socket.destroy();
      await expect.poll(() => service.waiting + service.watching).toBe(0);
    }
  }
});

test('requests of one connection are handled in their order, and what follows the last is forgotten', async () => {
  const { port, service } = await serve();
  service.add('runs');
  const body = JSON.stringify({ task_id: 'new', execution: { kind: 'command', program: 'true' } });
  const submit = `POST /api/v1/tasks HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  const answers = await raw(port, `${submit}${get('/api/v1/tasks/new')}${PROBE}`, PROBE_ANSWER);
  expect(answers).toMatch(/"status":"accepted"[^]*"status":"running"[^]*"status":"ok"/);

  const last = get('/api/v1/tasks/runs?wait_ms=1', 'connection: close\r\n');
  expect(await raw(port, `${last}DELETE /api/v1/tasks/new HTTP/1.1\r\nhost: localhost\r\n\r\n`)).toMatch(
    /"status":"running"/,
  );
  expect(service.tasks.has('new')).toBe(true);
});

test('a client that never reads its answers is cut off', async () => {
  const { port, service, url } = await serve();
  service.add('runs');
  const many = get('/healthz').repeat(2000);
  const cutOff = raw(port, `${get('/api/v1/tasks/runs?wait_ms=60000')}${many}`);
  expect(await cutOff.catch(() => '')).toBe('');
  await expect.poll(() => service.waiting).toBe(0);
  expect((await http(url).get('/healthz')).status).toBe(200);
});

test('garbage behind a request that waits ends the connection without a second answer to the first', async () => {
  const { port, service } = await serve();
  service.add('runs');
  const cutOff = raw(port, `${get('/api/v1/tasks/runs?wait_ms=60000')}\0\0garbage\r\n\r\n`);
  expect(await cutOff.catch(() => '')).toBe('');
  await expect.poll(() => service.waiting).toBe(0);
});
