import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import express from 'express';
import koffi from 'koffi';
import pino from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { listen, stop, type ListenAddress } from '../../src/api/server.js';
import { Connections } from '../../src/api/connections.js';
import { Waiters } from '../../src/api/waiters.js';
import { http as client } from '../harness/http.js';
import { tempDir } from '../harness/temp-dir.js';
import { openSse, raw, serve } from './serve.js';

const connections = new Connections(100);
const log = pino({ level: 'silent' });

async function start(address: ListenAddress): Promise<http.Server> {
  const app = express();
  app.get('/', (_req, res) => {
    res.end('hello');
  });
  const server = await listen(app, address, { connections, log });
  onTestFinished(() => stop(server, new Waiters(connections)));
  return server;
}

function get(options: http.RequestOptions): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    http.get({ agent: false, ...options }, (res) => resolve(res.resume())).on('error', reject);
  });
}

test('listens on a Unix socket with the rights that it is given, whatever the umask', async () => {
  const umask = process.umask(0o027);
  onTestFinished(() => void process.umask(umask));
  for (const mode of [0o600, 0o660, 0o666]) {
    const socketPath = join(tempDir(), 's');
    await start({ socketPath, mode });
    expect(statSync(socketPath).mode & 0o777).toBe(mode);
    expect((await get({ socketPath })).statusCode).toBe(200);
  }
  expect(process.umask(0o027)).toBe(0o027);
});

test('a socket that nobody serves any more is replaced, one in use is not', async () => {
  const socketPath = join(tempDir(), 's');
  const dies = `require('net').createServer().listen(${JSON.stringify(socketPath)}, () => process.kill(process.pid, 9))`;
  spawnSync(process.execPath, ['-e', dies]);
  expect(statSync(socketPath).isSocket()).toBe(true);
  await start({ socketPath, mode: 0o600 });
  await expect(listen(express(), { socketPath, mode: 0o600 }, { connections, log })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  });
  expect((await get({ socketPath })).statusCode).toBe(200);
});

test('a file in the place of the socket is left alone', async () => {
  const socketPath = join(tempDir(), 's');
  writeFileSync(socketPath, 'precious');
  await expect(listen(express(), { socketPath, mode: 0o600 }, { connections, log })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  });
  expect(statSync(socketPath).size).toBe(8);
});

test('listens on a descriptor that was passed', async () => {
  const first = net.createServer();
  await new Promise<void>((resolve) => first.listen(0, '127.0.0.1', () => resolve()));
  const { port } = first.address() as net.AddressInfo;
  const { fd } = (first as unknown as { _handle: { fd: number } })._handle;
  const dup = koffi.load('libc.so.6').func('int dup(int fd)');
  const passed = dup(fd) as number;
  await new Promise<void>((resolve) => first.close(() => resolve()));
  await start({ fd: passed });
  expect((await get({ host: '127.0.0.1', port })).statusCode).toBe(200);
});

test('an address that is taken is an error', async () => {
  const { port } = await serve();
  await expect(listen(express(), { host: '127.0.0.1', port }, { connections, log })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  });
});

test('connections are kept for two minutes', async () => {
  const { server, port } = await serve();
  expect(server.keepAliveTimeout).toBe(120_000);
  const twice = 'GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(2);
  const answer = await raw(port, twice, '"ok","version":"1.2.3"}HTTP/1.1 200');
  expect(answer).toMatch(/keep-alive: timeout=12\d/i);
});

test('stopping answers what waits as it is, ends streams and kept connections', async () => {
  const { url, port, service, stop: stopServing } = await serve();
  service.add('a');
  const status = client(url).get('/api/v1/tasks/a?wait_ms=60000');
  const page = client(url).get('/api/v1/events?wait_ms=60000');
  const kept = raw(port, 'GET /api/v1/tasks/a?wait_ms=60000 HTTP/1.1\r\nhost: localhost\r\n\r\n');
  const events = await openSse(`${url}/api/v1/events`);
  const output = await openSse(`${url}/api/v1/tasks/a/output/stream`);
  await expect.poll(() => service.waiting).toBe(6);
  await stopServing();
  expect((await status).body.status).toBe('running');
  expect((await page).body).toEqual([]);
  expect(await kept).toMatch(/connection: close\r\n[^]*"status":"running"/i);
  expect(await events.next()).toBeUndefined();
  expect(await output.next()).toBeUndefined();
  expect(service.waiting).toBe(0);
  await expect(client(url).get('/healthz')).rejects.toThrow('ECONNREFUSED');
});

test('stopping lets no answer hold it up for ever', async () => {
  const { url, port, server, service, stop: stopServing } = await serve();
  service.add('a', { status: 'success', stdout: Buffer.alloc(64 * 1_048_576, 'x') });
  const sse = await openSse(`${url}/api/v1/tasks/a/output/stream`);
  sse.response.pause();
  const connected = once(server, 'connection');
  const half = raw(
    port,
    'POST /api/v1/tasks HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{',
  );
  await connected;
  await stopServing();
  await half;
});

test('requests and answers keep the prototypes that they are made with, which Express would change', async () => {
  const server = await start({ host: '127.0.0.1', port: 0 });
  const seen: object[] = [];
  const look = (req: http.IncomingMessage, res: http.ServerResponse) =>
    seen.push(Object.getPrototypeOf(req) as object, Object.getPrototypeOf(res) as object);
  server.prependListener('request', look);
  server.on('request', look);
  await get({ port: (server.address() as net.AddressInfo).port });
  const [request, response, ...after] = seen;
  expect(after[0]).toBe(request);
  expect(after[1]).toBe(response);
  expect(request).toHaveProperty('app');
});
