import { once } from 'node:events';
import net from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { Connections, type ConnectionState } from '../../src/api/connections.js';
import { http } from '../harness/http.js';
import { waitFor } from '../harness/wait.js';
import { raw, serve } from './serve.js';

const MAX = 20;

interface Held {
  closed: boolean;
  received: string;
}

/** Connections that send `text` and stay; each once the server has taken it in. */
async function hold(port: number, count: number, text: string): Promise<Held[]> {
  const all: Held[] = [];
  for (let i = 0; i < count; i++) {
    const held: Held = { closed: false, received: '' };
    const socket = net.connect(port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => undefined).on('close', () => (held.closed = true));
    socket.setEncoding('utf8').on('data', (chunk: string) => (held.received += chunk));
    await new Promise<void>((resolve) => socket.write(text, () => resolve()));
    all.push(held);
  }
  return all;
}

const closed = (all: Held[]) => all.filter((held) => held.closed).length;
const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n${more}\r\n`;

test('half-sent heads keep nobody out, and the oldest of them leave', async () => {
  const { port, url, server } = await serve(undefined, { maxConnections: MAX });
  const heads = await hold(port, 5 * MAX, 'GET /healthz HTTP/1.1\r\nhost: local');
  for (let i = 0; i < 10; i++) expect((await http(url).get('/healthz')).status).toBe(200);
  await waitFor(() => closed(heads) >= 4 * MAX);
  expect(heads[0]?.closed).toBe(true);
  const count = await new Promise<number>((resolve, reject) =>
    server.getConnections((error, n) => (error === null ? resolve(n) : reject(error))),
  );
  expect(count).toBeLessThanOrEqual(MAX);
});

test('connections that are kept and idle leave when others come', async () => {
  const { port, url } = await serve(undefined, { maxConnections: MAX });
  const kept = await hold(port, MAX, get('/healthz'));
  await waitFor(() => kept.every(({ received }) => received.includes('"ok"')));
  expect((await http(url).get('/healthz')).status).toBe(200);
  await waitFor(() => closed(kept) > 0);
  expect(kept[0]?.closed).toBe(true);
});

test('a wait that has to leave is answered as things are, never refused', async () => {
  const { port, url, service } = await serve(undefined, { maxConnections: MAX });
  service.add('runs');
  const polls = await hold(port, MAX, get('/api/v1/tasks/runs?wait_ms=60000'));
  await expect.poll(() => service.waiting).toBe(MAX);
  for (let i = 0; i < 3; i++) expect((await http(url).get('/api/v1/tasks/runs')).status).toBe(200);
  await waitFor(() => polls[0]?.closed === true);
  expect(polls[0]?.received).toMatch(/^HTTP\/1\.1 200 [^]*"status":"running"/);
  expect(service.waiting).toBeGreaterThan(MAX / 2);
});

test('of streams the oldest ends', async () => {
  const { port, url, service } = await serve(undefined, { maxConnections: MAX });
  service.add('runs');
  const streams = await hold(port, MAX, get('/api/v1/events', 'accept: text/event-stream\r\n'));
  await expect.poll(() => service.waiting).toBe(1);
  await waitFor(() => streams.every(({ received }) => received.includes('id: 0')));
  expect((await http(url).get('/healthz')).status).toBe(200);
  // The end of a chunked answer.
  await waitFor(() => streams[0]?.received.endsWith('0\r\n\r\n') === true);
  for (let i = 0; i < 2 * MAX; i++) expect((await http(url).get('/healthz')).status).toBe(200);
});

/** A connection that the server has just taken in; `does` says what it then does. */
function admitted(connections: Connections, does?: ConnectionState): net.Socket {
  const socket = new net.Socket();
  onTestFinished(() => void socket.destroy());
  connections.admit(socket);
  if (does !== undefined) connections.enter(socket, does, () => undefined);
  return socket;
}

test.each([undefined, 'idle', 'answering', 'receiving', 'holding'] as const)(
  'a flood within one turn, of clients that read nothing and then are "%s", stays bounded',
  (does) => {
    const connections = new Connections(MAX);
    const flood = Array.from({ length: 10 * MAX }, () => admitted(connections, does));
    const left = flood.filter((socket) => !socket.destroyed);
    expect(left.length).toBeGreaterThanOrEqual(MAX);
    expect(left.length).toBeLessThanOrEqual(1.25 * MAX);
    expect(admitted(connections).destroyed).toBe(false);
  },
);

test('who is worked for is not cut off for a newcomer', () => {
  const connections = new Connections(MAX);
  const all = Array.from({ length: 1.25 * MAX }, () => admitted(connections, 'working'));
  expect(admitted(connections).destroyed).toBe(true);
  expect(all.some((socket) => socket.destroyed)).toBe(false);
});

test('a client that takes nothing of its answer is cut off', async () => {
  const { port, url, server, service } = await serve(undefined, { unreadMs: 200 });
  service.add('big', { stdout: Buffer.alloc(8 * 1_048_576, 'x') });
  const ended = once(server, 'connection').then(([taken]) => once(taken as net.Socket, 'close'));
  const client = net.connect(port, '127.0.0.1').pause();
  onTestFinished(() => void client.destroy());
  client.on('error', () => undefined);
  // Together more than the kernel keeps for a connection.
  client.write(get('/api/v1/tasks/big/output?limit=4194304').repeat(16));
  await ended;
  expect((await http(url).get('/healthz')).status).toBe(200);
});

test('a head or a body that takes too long is told so', async () => {
  const { port, server } = await serve();
  expect([server.headersTimeout, server.requestTimeout]).toEqual([20_000, 120_000]);
  server.headersTimeout = 100;
  server.requestTimeout = 200;
  const answers = await Promise.all([
    raw(port, 'GET /healthz HTTP/1.1\r\nhost: local'),
    raw(port, ''),
    raw(
      port,
      'POST /api/v1/tasks HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{',
    ),
  ]);
  for (const answer of answers)
    expect(answer).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n[^]*"code":"request_timeout"/);
});
