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

test('what is legal but huge or odd is bounded, refused by name, or served', async () => {
  const daemon = await startDaemon();
  const api = http(daemon.url);
  const metadata = { note: 'x'.repeat(1_500_000) };
  for (const task_id of ['big-1', 'big-2', 'big-3', 'big-4', 'big-5', 'big-6', 'big-7', 'big-8'])
    await submitAndWait(daemon, { task_id, ...command('true', ['y'.repeat(1000)], { metadata }) });
  const first = (await api.get('/api/v1/tasks?limit=1000')).body;
  expect(JSON.stringify(first).length).toBeLessThan(100_000);
  expect(first.tasks.length).toBeLessThan(8);
  const rest = (await api.get(`/api/v1/tasks?limit=1000&cursor=${first.next_cursor}`)).body;
  expect([...first.tasks, ...rest.tasks].map((t: { task_id: string }) => t.task_id)).toEqual(
    [8, 7, 6, 5, 4, 3, 2, 1].map((n) => `big-${n}`),
  );
  expect(first.tasks[0].command).toHaveLength(200);

  const many = await api.post('/api/v1/tasks', {
    execution: { kind: 'command', program: 'true', args: Array(40_000).fill(1) },
  });
  expect([many.status, many.text.length < 20_000]).toEqual([400, true]);
  const unknown = Object.fromEntries(Array.from({ length: 9_000 }, (_, i) => [`f${i}`, 1]));
  const warned = (await api.post('/api/v1/tasks', { ...command('true'), ...unknown })).body;
  expect(warned.warnings.at(-1)).toBe('8950 more unknown fields were ignored');

  for (const workspace_subdir of ['x'.repeat(300), Array(25).fill('y'.repeat(200)).join('/')])
    expect(
      (await api.post('/api/v1/tasks', command('true', [], { sandbox: { workspace_subdir } }))).body.error,
    ).toMatchObject({ code: 'invalid_input', message: expect.stringContaining('sandbox.workspace_subdir') });
  const proto = '{"execution":{"kind":"command","program":"true","env":{"__proto__":"x"}}}';
  expect((await api.post('/api/v1/tasks', proto)).body.error.message).toContain('execution.env.__proto__');
});

test('HEAD of a stream ends with its headers', async () => {
  const daemon = await startDaemon();
  const head = await http(daemon.url).request('HEAD', '/api/v1/events', {
    headers: { accept: 'text/event-stream' },
  });
  expect([head.status, head.headers['content-type'], head.text]).toEqual([200, 'text/event-stream', '']);
});

test('a feed that is asked for a seq that is not there yet waits', async () => {
  const daemon = await startDaemon();
  const answered = http(daemon.url).get('/api/v1/events?after_seq=99999999&wait_ms=1500');
  let early = false;
  void answered.then(() => (early = true));
  await submitAndWait(daemon, command('true'));
  expect(early).toBe(false);
  expect((await answered).body).toEqual([]);
});
