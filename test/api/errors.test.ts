import { expect, test } from 'vitest';
import { http } from '../harness/http.js';
import { ExecgoError } from '../../src/task/errors.js';
import { ERROR_STATUS, type ErrorCode } from '../../src/task/error-codes.js';
import type { ErrorBody } from '../../src/task/error-body.js';
import { raw, serve } from './serve.js';

const MIB = 1_048_576;

function bodyOf(answer: string): { error: ErrorBody } {
  return JSON.parse(answer.slice(answer.lastIndexOf('\r\n\r\n') + 4)) as { error: ErrorBody };
}

test('every code has its status', async () => {
  const { url, service } = await serve(undefined, { likeADaemon: false });
  service.add('a');
  for (const [code, status] of Object.entries(ERROR_STATUS)) {
    service.failure = new ExecgoError(code as ErrorCode, 'why', { at: 1 });
    const answer = await http(url).get('/api/v1/tasks/a');
    expect(answer.status).toBe(status);
    expect(answer.body).toEqual({ error: { code, message: 'why', details: { at: 1 } } });
  }
});

test('anything else is internal: logged with its stack, shown without', async () => {
  const { url, service, logged } = await serve();
  service.failure = new Error('secret path /x');
  const answer = await http(url).get('/api/v1/runtime/info');
  expect(answer.status).toBe(500);
  expect(answer.body).toEqual({ error: { code: 'internal', message: 'internal error' } });
  const line = logged.find((l) => l['level'] === 50);
  expect(line).toMatchObject({
    method: 'GET',
    path: '/api/v1/runtime/info',
    err: { message: 'secret path /x' },
  });
  expect((line?.['err'] as { stack: string }).stack).toContain('errors.test');
});

test('requests that go well are not logged', async () => {
  const { url, logged } = await serve();
  await http(url).get('/healthz');
  expect(logged).toEqual([]);
});

test('unknown routes and wrong methods', async () => {
  const { request } = http((await serve()).url);
  for (const path of ['/nope', '/api/v1/tasks/', '/API/v1/tasks', '/api/v1/tasks/a/b', '/healthz/'])
    expect((await request('GET', path)).body.error.code).toBe('not_found');
  const answer = await request('PUT', '/api/v1/tasks/a');
  expect(answer.status).toBe(405);
  expect(answer.headers.allow).toBe('DELETE, GET, HEAD, PATCH');
  expect(answer.body.error.code).toBe('method_not_allowed');
  expect((await request('GET', '/api/v1/tasks/a/kill')).headers.allow).toBe('POST');
  expect((await request('OPTIONS', '/api/v1/tasks')).status).toBe(405);
  // A task may be called that.
  expect((await request('GET', '/api/v1/tasks/batch')).body.error.message).toBe('task not found: batch');
  expect((await request('PUT', '/api/v1/tasks/batch')).headers.allow).toBe('DELETE, GET, HEAD, PATCH, POST');
  expect((await request('HEAD', '/healthz')).status).toBe(200);
});

test.each([
  ['no content type', {}],
  ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
  ['plain text', { 'content-type': 'text/plain' }],
  ['a list of types', { 'content-type': 'text/plain, application/json' }],
  ['a compressed body', { 'content-type': 'application/json', 'content-encoding': 'gzip' }],
])('%s is refused with 415', async (_what, headers) => {
  const { port } = await serve();
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const text = `POST /api/v1/tasks HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${lines.join('')}content-length: 2\r\n\r\n{}`;
  const answer = await raw(port, text);
  expect(answer).toMatch(/^HTTP\/1.1 415 /);
  expect(bodyOf(answer).error.code).toBe('unsupported_media_type');
});

test.each([
  ['nothing', ''],
  ['half an object', '{"execution":'],
  ['two values', '{} {}'],
  ['no UTF-8', Buffer.from([0x22, 0xff, 0x22])],
  ['no object', '[]'],
  ['null', 'null'],
  ['deep nesting', '['.repeat(200_000)],
])('%s is refused with 400', async (_what, body) => {
  const { url, logged } = await serve();
  const answer = await http(url).post('/api/v1/tasks', body);
  expect(answer.status).toBe(400);
  expect(answer.body.error.code).toBe('invalid_input');
  expect(answer.body.error.message).toMatch(/^invalid input: body: /);
  expect(logged.every((line) => line['level'] === 20)).toBe(true);
});

test.each([
  ['a chunk without a length', 'POST', 'transfer-encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n'],
  ['a chunk of a negative length', 'POST', 'transfer-encoding: chunked\r\n\r\n-5\r\n'],
  ['a chunk that is too long', 'POST', 'transfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n'],
])('%s is refused with 400', async (_what, method, rest) => {
  const { port } = await serve();
  const answer = await raw(
    port,
    `${method} /api/v1/tasks HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n${rest}`,
  );
  expect(answer).toMatch(/^HTTP\/1.1 400 /);
  expect(bodyOf(answer).error.code).toBe('invalid_input');
});

test('what follows a request that waits is not answered in its place', async () => {
  const { port } = await serve();
  const head = 'GET /api/v1/tasks/a?wait_ms=60000 HTTP/1.1\r\nhost: localhost\r\n\r\n';
  expect(await raw(port, `${head}this is not HTTP\r\n\r\n`)).not.toMatch(/^HTTP\/1.1 400 /);
});

test('a tunnel is refused', async () => {
  const { port } = await serve();
  expect(await raw(port, 'CONNECT localhost:80 HTTP/1.1\r\nhost: localhost\r\n\r\n')).toMatch(
    /^HTTP\/1.1 405 /,
  );
});

test('a client of HTTP/1.0 that asks whether to go on is answered, and its connection ends', async () => {
  const { port } = await serve();
  const body = JSON.stringify({ execution: { kind: 'command', program: 'true' } });
  const head = `POST /api/v1/tasks HTTP/1.0\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-type: application/json\r\n`;
  expect(await raw(port, `${head}content-length: ${body.length}\r\n\r\n${body}`)).toMatch(/^HTTP\/1.1 200 /);
});

test('a content type with parameters will do', async () => {
  const { url } = await serve();
  const body = { execution: { kind: 'command', program: 'true' } };
  const answer = await http(url).post('/api/v1/tasks', body, {
    'content-type': 'Application/JSON; charset=utf-8',
  });
  expect(answer.status).toBe(200);
});

test('a body that is too large is refused, announced or not', async () => {
  const { url, port } = await serve();
  const text = JSON.stringify({ pad: 'x'.repeat(2 * MIB) });
  const announced = await http(url).post('/api/v1/tasks', text);
  expect(announced.status).toBe(413);
  expect(announced.body.error.code).toBe('payload_too_large');

  const head =
    'POST /api/v1/tasks HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n';
  const chunked = await raw(port, `${head}${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`);
  expect(chunked).toMatch(/^HTTP\/1.1 413 /);
  expect(chunked).toMatch(/\r\nconnection: close\r\n/i);
});

test('a body just within the bound is read, also in chunks', async () => {
  const { port } = await serve();
  const text = JSON.stringify({
    execution: { kind: 'command', program: 'true' },
    metadata: { pad: 'x'.repeat(2 * MIB - 100) },
  });
  const head =
    'POST /api/v1/tasks HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n';
  const half = text.length >> 1;
  const chunks = [text.slice(0, half), text.slice(half)].map((c) => `${c.length.toString(16)}\r\n${c}\r\n`);
  expect(await raw(port, `${head}${chunks.join('')}0\r\n\r\n`)).toMatch(/^HTTP\/1.1 200 /);
});

test('a batch may be larger', async () => {
  const { url } = await serve();
  const answer = await http(url).post('/api/v1/tasks/batch', { tasks: [], pad: 'x'.repeat(3 * MIB) });
  expect(answer.body).toEqual([]);
});

test('a body that breaks off is nobody’s error', async () => {
  const { port, logged, service } = await serve();
  const head =
    'POST /api/v1/tasks HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"a"';
  const net = await import('node:net');
  const socket = net.connect(port, '127.0.0.1', () => socket.end(head));
  socket.resume();
  await new Promise((resolve) => socket.on('close', resolve));
  expect(service.asked['submit']).toBeUndefined();
  expect(logged.every((line) => line['level'] === 20)).toBe(true);
});

const EXPECT =
  'POST /api/v1/tasks HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n';

test('Expect: 100-continue is asked to go on when the body is wanted', async () => {
  const { port } = await serve();
  const body = JSON.stringify({ execution: { kind: 'command', program: 'true' } });
  const answer = await raw(
    port,
    `${EXPECT}content-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  );
  expect(answer).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK\r\n/);
});

test('Expect: 100-continue is refused before the body when it is too large', async () => {
  const { port } = await serve();
  const answer = await raw(port, `${EXPECT}content-length: ${100 * MIB}\r\n\r\n`);
  expect(answer).toMatch(/^HTTP\/1.1 413 /);
  expect(bodyOf(answer).error.code).toBe('payload_too_large');
});

test('other expectations are ignored', async () => {
  const { port } = await serve();
  const answer = await raw(
    port,
    'GET /healthz HTTP/1.1\r\nhost: localhost\r\nexpect: miracles\r\nconnection: close\r\n\r\n',
  );
  expect(answer).toMatch(/^HTTP\/1.1 200 /);
});

test('what is not HTTP is answered as JSON', async () => {
  const { port } = await serve();
  const answer = await raw(port, 'nonsense\r\n\r\n');
  expect(answer).toMatch(/^HTTP\/1.1 400 /);
  expect(bodyOf(answer).error.code).toBe('invalid_input');
});
