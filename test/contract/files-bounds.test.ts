import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ExecgoClient } from '../../src/client/index.js';
import { execgo, http, script, startDaemon, submitAndWait, waitFor } from '../harness/index.js';

const OCTETS = { 'content-type': 'application/octet-stream' };
const START = { flags: ['--gc-interval-ms', '50'] };
type Answer = Promise<{ status: number; body?: { error?: { code: string; message: string } } }>;

/** Every route of files of a task or session, as one caller may ask. */
async function codes(url: string, files: string, query = '', headers: Record<string, string> = {}) {
  const asked: Answer[] = [
    http(url).get(`${files}${query}`, headers),
    http(url).get(`${files}/x${query}`, headers),
    http(url).put(`${files}/new${query}`, 'y', { ...OCTETS, ...headers }),
    http(url).delete(`${files}/x${query}`, headers),
  ];
  return (await Promise.all(asked)).map(({ status, body }) => body?.error?.code ?? status);
}
const all = (code: string) => Array.from({ length: 4 }, () => code);

test('a task leads to the files of no other session than the one it was in, whoever has made that', async () => {
  const daemon = await startDaemon(START);
  const { url } = daemon;
  const files = (task: string) => `/api/v1/tasks/${task}/files`;
  await http(url).post('/api/v1/sessions', { session_id: 's' });
  await submitAndWait(
    daemon,
    script('echo first >x', { task_id: 'old', control_context: { session_id: 's' } }),
  );
  expect((await http(url).get(`${files('old')}/x`)).text).toBe('first\n');
  expect((await http(url).delete('/api/v1/sessions/s')).status).toBe(200);
  expect(await codes(url, files('old'))).toEqual(all('session_evicted'));
  const another = { session_id: 's', owner: 'ann', tenant: 't' };
  expect((await http(url).post('/api/v1/sessions', another)).status).toBe(200);
  const secret = await http(url).put('/api/v1/sessions/s/files/x', 'secret', {
    ...OCTETS,
    'x-execgo-owner': 'ann',
  });
  expect(secret.status).toBe(200);
  for (const headers of [{}, { 'x-execgo-owner': 'ann' }] as Record<string, string>[])
    expect(await codes(url, files('old'), '', headers)).toEqual(all('session_evicted'));
  expect((await http(url).get('/api/v1/sessions/s/files')).body.entries).toHaveLength(1);
  await submitAndWait(
    daemon,
    script('true', { task_id: 'new', control_context: { session_id: 's', tenant: 't' } }),
  );
  expect((await http(url).get(`${files('new')}/x`)).text).toBe('secret');
  // Its own owner, as the session has one.
  expect((await codes(url, files('new'))).slice(2)).toEqual(['permission_denied', 'permission_denied']);
  expect(await codes(url, files('new'), '?tenant=other')).toEqual(all('not_found'));
  expect((await http(url).get(`${files('new')}/x?tenant=t`)).text).toBe('secret');
  const own = await submitAndWait(daemon, script('echo hi >x'));
  expect(await codes(url, files(own.task_id), '?tenant=t')).toEqual(all('not_found'));
});

test('an upload into a session that goes meanwhile is told so, and nothing of it is in one made since', async () => {
  const daemon = await startDaemon(START);
  const { hostname, port } = new URL(daemon.url);
  for (const again of [false, true]) {
    const id = `s${String(again)}`;
    await http(daemon.url).post('/api/v1/sessions', { session_id: id });
    const socket = net.connect(Number(port), hostname);
    let answer = '';
    socket.on('data', (data) => (answer += String(data))).on('error', () => undefined);
    socket.write(
      `PUT /api/v1/sessions/${id}/files/d/x HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 4\r\n\r\nab`,
    );
    const root = join(daemon.dataDir, 'sessions', id);
    await waitFor(() => fs.readdirSync(root).length === 2, { what: 'the upload' });
    expect((await http(daemon.url).delete(`/api/v1/sessions/${id}`)).status).toBe(200);
    if (again) await http(daemon.url).post('/api/v1/sessions', { session_id: id });
    socket.write('cd');
    await once(socket, 'close');
    expect(answer).toContain('session_evicted');
    if (again) expect(fs.readdirSync(join(root, 'workspace'))).toEqual([]);
  }
});

test('a file that a task keeps from being read is a conflict, with words', async () => {
  const daemon = await startDaemon();
  await http(daemon.url).post('/api/v1/sessions', { session_id: 's' });
  const lease = `
import fcntl, os, signal, time
signal.signal(signal.SIGIO, signal.SIG_IGN)
fd = os.open('leased', os.O_RDWR | os.O_CREAT, 0o600)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
open('ready', 'w').close()
time.sleep(600)`;
  const root = join(daemon.dataDir, 'sessions/s/workspace');
  const holder = spawn('python3', ['-c', lease], { cwd: root, stdio: 'ignore' });
  onTestFinished(() => void holder.kill('SIGKILL'));
  await waitFor(() => fs.existsSync(join(root, 'ready')), { what: 'the lease' });
  expect(await http(daemon.url).get('/api/v1/sessions/s/files/leased')).toMatchObject({
    status: 409,
    body: { error: { code: 'conflict', message: expect.stringContaining('"leased" is in use') } },
  });
  const cli = await execgo(['cp', 's:leased', '-'], { daemon });
  expect(cli.code).not.toBe(0);
  expect(cli.stderr).not.toContain('another id');
  expect((await http(daemon.url).delete('/api/v1/sessions/s/files/leased')).status).toBe(200);
});

test('a path has at most 128 names, also that of the directory in which a task starts', async () => {
  const daemon = await startDaemon();
  await http(daemon.url).post('/api/v1/sessions', { session_id: 's' });
  const files = '/api/v1/sessions/s/files';
  const deep = (names: number) => Array.from({ length: names }, () => 'a').join('/');
  const message = 'path: must have at most 128 names';
  for (const answer of [
    await http(daemon.url).put(`${files}/${deep(129)}`, 'x', OCTETS),
    await http(daemon.url).get(`${files}/${deep(129)}`),
    await http(daemon.url).get(`${files}?path=${deep(129)}`),
    await http(daemon.url).delete(`${files}/${deep(129)}`),
  ])
    expect(answer.body.error).toMatchObject({
      code: 'invalid_input',
      message: expect.stringContaining(message),
    });
  expect((await http(daemon.url).put(`${files}/${deep(128)}`, 'x', OCTETS)).status).toBe(200);
  const inside = (names: number) =>
    http(daemon.url).post(
      '/api/v1/tasks',
      script('true', { sandbox: { workspace_subdir: deep(names) }, control_context: { session_id: 's' } }),
    );
  expect((await inside(129)).body.error.message).toContain('workspace_subdir: must have at most 128 parts');
  expect((await inside(100)).status).toBeLessThan(300);
});

test('a directory is listed in full, page by page, and names that are no text take no place', async () => {
  const daemon = await startDaemon();
  await http(daemon.url).post('/api/v1/sessions', { session_id: 's' });
  const root = join(daemon.dataDir, 'sessions/s/workspace');
  for (let i = 0; i < 600; i++)
    fs.writeFileSync(
      Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff]), Buffer.from(String(i))]),
      '',
    );
  const names = Array.from({ length: 1_234 }, (_, i) => `f${String(i * 7919 + 1_000_000)}`).sort();
  for (const name of names.toReversed()) fs.writeFileSync(join(root, name), '');
  const client = new ExecgoClient({ server: daemon.url });
  const seen: string[] = [];
  const pages: number[] = [];
  let after: string | undefined;
  do {
    const page = await client.files.list({ session: 's' }, undefined, { after });
    expect(page.more === true).toBe(page.next !== undefined);
    seen.push(...page.entries.map(({ name }) => name));
    pages.push(page.entries.length);
    after = page.next;
  } while (after !== undefined);
  expect(pages).toEqual([500, 500, 234]);
  expect(seen).toEqual(names);
  const cli = JSON.parse((await execgo(['files', 's'], { daemon })).stdout) as { entries: unknown[] };
  expect(cli.entries).toHaveLength(1_234);
  expect(cli).not.toHaveProperty('more');
  expect((await http(daemon.url).get('/api/v1/sessions/s/files?after=')).status).toBe(400);
  expect((await client.files.list({ session: 's' }, undefined, { after: 'z' })).entries).toEqual([]);
  client.close();
});
