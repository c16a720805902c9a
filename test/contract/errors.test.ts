import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { command, http, startDaemon, submitAndWait } from '../harness/index.js';

test('every refusal is JSON with a code of the closed set', async () => {
  const daemon = await startDaemon();
  const api = http(daemon.url);
  const json = { 'content-type': 'application/json' };
  const expectError = async (method: string, path: string, status: number, code: string, options = {}) => {
    const answer = await api.request(method, path, options);
    expect([answer.status, answer.body?.error?.code], `${method} ${path}`).toEqual([status, code]);
    expect(answer.body.error.message).toEqual(expect.any(String));
  };
  await expectError('GET', '/api/v1/tasks/nobody', 404, 'not_found');
  await expectError('GET', '/api/v1/nothing', 404, 'not_found');
  await expectError('PATCH', '/api/v1/tasks', 405, 'method_not_allowed');
  await expectError('POST', '/api/v1/tasks', 400, 'invalid_input', { body: '{"execution":', headers: json });
  await expectError('POST', '/api/v1/tasks', 400, 'invalid_input', { body: '"text"', headers: json });
  await expectError('POST', '/api/v1/tasks', 415, 'unsupported_media_type', {
    body: '{}',
    headers: { 'content-type': 'text/plain' },
  });
  const large = JSON.stringify({ execution: { kind: 'script', script: 'x'.repeat(2_200_000) } });
  await expectError('POST', '/api/v1/tasks', 413, 'payload_too_large', { body: large, headers: json });
  await expectError('GET', '/api/v1/tasks', 403, 'permission_denied', { headers: { host: 'evil.example' } });
  await expectError('GET', '/api/v1/tasks', 403, 'permission_denied', {
    headers: { origin: 'http://evil.example' },
  });
  await expectError('POST', '/api/v1/tasks', 403, 'permission_denied', {
    body: command('true'),
    headers: { origin: 'http://evil.example' },
  });
  for (const host of ['localhost', 'localhost:8080', '127.0.0.1', '[::1]:80'])
    expect((await api.get('/healthz', { host })).status, host).toBe(200);
  expect((await api.get('/api/v1/tasks')).body.tasks).toEqual([]);
  const almost = JSON.stringify({ execution: { kind: 'script', script: `#${'x'.repeat(2_000_000)}\n:` } });
  expect((await api.post('/api/v1/tasks', almost)).status).toBe(200);
});

test('an allowed host name comes in', async () => {
  const daemon = await startDaemon({
    flags: ['--allow-host', 'build.example', '--allow-host', 'other.example'],
  });
  const api = http(daemon.url);
  expect((await api.get('/healthz', { host: 'build.example:8080' })).status).toBe(200);
  expect((await api.get('/healthz', { host: 'other.example' })).status).toBe(200);
  expect((await api.get('/healthz', { host: 'evil.example' })).status).toBe(403);
});

test('garbage on the wire hurts nobody', async () => {
  const daemon = await startDaemon();
  const { port } = new URL(daemon.url);
  const say = (text: string) =>
    new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), '127.0.0.1');
      let answer = '';
      socket.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
      socket.on('close', () => resolve(answer)).on('error', reject);
      socket.end(text);
    });
  expect(await say('hello?\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /);
  expect(await say('GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1.1 (400|403) /);
  expect((await submitAndWait(daemon, command('true'))).status).toBe('success');
});
