import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ExecgoClient, type SessionStorage, type SessionView } from '../../src/client/index.js';
import {
  execgo,
  http,
  inTerminal,
  script,
  startDaemon,
  submit,
  submitAndWait,
  tempDir,
  waitFor,
  type Daemon,
} from '../harness/index.js';
import { bindMount } from '../hostile/mounts.js';

const PATH = '/api/v1/sessions';
const inS = (text: string, more: object = {}) =>
  script(text, { control_context: { session_id: 's' }, ...more });
const get = async (daemon: Daemon, query = '') =>
  (await http(daemon.url).get<SessionStorage>(`${PATH}/s/storage${query}`)).body;
const refresh = async (daemon: Daemon) =>
  (await http(daemon.url).post<SessionStorage>(`${PATH}/s/storage/refresh`)).body;
async function daemonWithSession() {
  const daemon = await startDaemon();
  await http(daemon.url).post(PATH, { session_id: 's' });
  return { daemon, root: join(daemon.dataDir, 'sessions/s/workspace') };
}

test('what a session keeps is told, and whether it may have changed since', async () => {
  const { daemon } = await daemonWithSession();
  const view = async () => (await http(daemon.url).get<SessionView>(`${PATH}/s`)).body;
  expect(await view()).not.toHaveProperty('storage');
  const empty = await get(daemon);
  expect(empty).toMatchObject({
    ...{ session_id: 's', files: 0, directories: 0, others: 0, bytes: 0, disk_bytes: 0 },
    ...{ complete: true, stale: false, digest: expect.stringMatching(/^sha256:/) },
  });
  await submitAndWait(
    daemon,
    inS('mkdir -p a/b; printf 12345 >a/b/f; ln a/b/f same; ln -s a link; mkfifo p'),
  );
  // What was known is told as such, and looked at behind it.
  expect(await get(daemon)).toEqual({ ...empty, stale: true });
  await waitFor(async () => !(await get(daemon)).stale, { what: 'a look at what is there' });
  const full = await get(daemon);
  expect(full).toMatchObject({ files: 1, directories: 2, others: 2, bytes: 5, complete: true });
  expect(full.disk_bytes).toBeGreaterThan(0);
  expect(full.digest).not.toBe(empty.digest);
  const { session_id: _, ...figures } = full;
  expect((await view()).storage).toEqual(figures);
  // A task that has changed nothing leaves the digest as it was; one that has written the same bytes does not.
  await submitAndWait(daemon, inS('ls -R'));
  expect(await get(daemon, '?wait_ms=60000')).toMatchObject({ stale: false, digest: full.digest });
  await submitAndWait(daemon, inS('printf 12345 >a/b/f; touch -d @1 a/b/f'));
  const rewritten = await refresh(daemon);
  expect(rewritten).toMatchObject({ files: 1, bytes: 5, stale: false });
  expect(rewritten.digest).not.toBe(full.digest);
  await daemon.kill();
  await daemon.restart();
  expect(await get(daemon)).toEqual(rewritten);
});

test('files that come and go are seen, whoever they are asked of', async () => {
  const { daemon } = await daemonWithSession();
  const client = new ExecgoClient({ server: daemon.url });
  const task = await submitAndWait(daemon, inS('true'));
  const digests = [(await refresh(daemon)).digest];
  const steps = [
    () => client.files.write({ session: 's' }, 'f', Buffer.from('one')),
    () => client.files.write({ task: task.task_id }, 'g', Buffer.from('two')),
    () => client.files.remove({ task: task.task_id }, 'f'),
    () => client.files.remove({ session: 's' }, 'g'),
  ];
  for (const step of steps) {
    await step();
    expect((await get(daemon)).stale).toBe(true);
    digests.push((await client.sessions.storage('s', { refresh: true })).digest);
    expect((await client.sessions.storage('s')).stale).toBe(false);
  }
  // In the end there is nothing again, as in the beginning.
  expect([new Set(digests).size, digests.at(-1)]).toEqual([4, digests[0]]);
  const running = await submit(daemon, inS('sleep 600'));
  await waitFor(
    async () => (await http(daemon.url).get(`/api/v1/tasks/${running}`)).body.status === 'running',
  );
  expect((await refresh(daemon)).stale).toBe(true);
});

test('a hostile tree leads nowhere, and what is left out is told', async () => {
  const { daemon, root } = await daemonWithSession();
  const outside = tempDir();
  fs.writeFileSync(join(outside, 'secret'), 'x'.repeat(1000));
  const server = net.createServer().listen(join(root, 'socket'));
  await new Promise((resolve) => server.once('listening', resolve));
  fs.symlinkSync(outside, join(root, 'link'));
  fs.symlinkSync(join(outside, 'secret'), join(root, 'file'));
  execFileSync('mkfifo', [join(root, 'pipe')]);
  execFileSync('mknod', [join(root, 'device'), 'c', '1', '5']);
  fs.writeFileSync(Buffer.from(`${root}/\xff\nname`, 'latin1'), 'abc');
  expect(await get(daemon)).toMatchObject({ files: 1, directories: 0, others: 5, bytes: 3, complete: true });
  fs.writeFileSync(join(root, 'holes'), '');
  fs.truncateSync(join(root, 'holes'), 1e12);
  const { bytes, disk_bytes, files } = await refresh(daemon);
  expect([files, bytes]).toEqual([2, 1e12 + 3]);
  expect(disk_bytes).toBeLessThan(1e6);
  server.close();
});

test('another mount is not entered, and no tree is followed to where it may not be', async () => {
  const { daemon, root } = await daemonWithSession();
  const outside = tempDir();
  fs.writeFileSync(join(outside, 'secret'), 'x'.repeat(1000));
  fs.mkdirSync(join(root, 'mount'));
  fs.writeFileSync(join(root, 'own'), 'abc');
  bindMount(outside, join(root, 'mount'));
  const found = await refresh(daemon);
  expect(found).toMatchObject({ files: 1, bytes: 3, complete: false });
  expect(found).not.toHaveProperty('digest');
});

test('who has no such session, or one that is gone, is told so', async () => {
  const { daemon, root } = await daemonWithSession();
  await http(daemon.url).post(PATH, { session_id: 'hers', tenant: 'acme' });
  const wrong: [path: string, status: number, code: string][] = [
    ['no/storage', 404, 'not_found'],
    ['hers/storage?tenant=other', 404, 'not_found'],
    ['s/storage?tenant=', 400, 'invalid_input'],
    ['s/storage?wait_ms=x', 400, 'invalid_input'],
  ];
  for (const [path, status, code] of wrong)
    expect(await http(daemon.url).get(`${PATH}/${path}`), path).toMatchObject({
      status,
      body: { error: { code } },
    });
  expect((await http(daemon.url).post(`${PATH}/no/storage/refresh`)).status).toBe(404);
  expect((await http(daemon.url).post(`${PATH}/hers/storage/refresh?tenant=other`)).status).toBe(404);
  expect((await http(daemon.url).get(`${PATH}/hers/storage?tenant=acme`)).status).toBe(200);
  fs.rmSync(root, { recursive: true });
  expect(await http(daemon.url).post(`${PATH}/s/storage/refresh`)).toMatchObject({
    ...{ status: 409, body: { error: { message: expect.stringContaining('its next task makes it again') } } },
  });
  await http(daemon.url).delete(`${PATH}/s`);
  expect((await http(daemon.url).get(`${PATH}/s/storage`)).status).toBe(404);
});

test('many who ask share a look, and a session with the same name later knows nothing of the first', async () => {
  const { daemon } = await daemonWithSession();
  await submitAndWait(daemon, inS('for i in $(seq 300); do echo $i >f$i; done'));
  const found = await Promise.all(Array.from({ length: 50 }, () => refresh(daemon)));
  expect(new Set(found.map(({ measured_at }) => measured_at)).size).toBeLessThanOrEqual(3);
  for (const one of found) expect(one).toMatchObject({ files: 300, stale: false });
  const late = refresh(daemon).catch(() => undefined);
  await http(daemon.url).delete(`${PATH}/s`);
  await late;
  await http(daemon.url).post(PATH, { session_id: 's' });
  expect((await http(daemon.url).get(`${PATH}/s`)).body).not.toHaveProperty('storage');
  expect(await get(daemon)).toMatchObject({ files: 0 });
});

test('the command line shows it', async () => {
  const { daemon } = await daemonWithSession();
  await submitAndWait(daemon, inS('printf 12345 >f'));
  const first = await execgo(['session', 'storage', 's'], { daemon });
  expect(JSON.parse(first.stdout)).toMatchObject({ files: 1, bytes: 5, stale: false });
  await submitAndWait(daemon, inS('printf 12345 >g'));
  const fresh = await execgo(['session', 'storage', 's', '--refresh'], { daemon });
  expect(JSON.parse(fresh.stdout)).toMatchObject({ files: 2, bytes: 10, stale: false });
  const shown = async (...args: string[]) => {
    const terminal = inTerminal(args, { daemon });
    expect(await terminal.ended).toBe(0);
    return terminal.shown();
  };
  expect(await shown('session', 'show', 's')).toMatch(/keeps.* 2 files, 10 B, as of .* ago/);
  expect(await shown('session', 'storage', 's')).toMatch(/s.*: 2 files, 10 B[^]*on disk[^]*digest.* sha256:/);
  const missing = await execgo(['session', 'storage'], { daemon });
  expect([missing.code, missing.stderr]).toEqual([
    2,
    expect.stringContaining("missing required argument 'session'"),
  ]);
  const unknown = await execgo(['session', 'storage', 'no'], { daemon });
  expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('session not found: no')]);
});
