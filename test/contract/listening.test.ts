import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { EXECUTABLE, execgo, http, startDaemon, tempDir, waitFor } from '../harness/index.js';

const refused = (flags: string[]) =>
  spawnSync(
    process.execPath,
    [EXECUTABLE, 'serve', '--data-dir', join(tempDir(), 'data'), '--disable-cgroup', ...flags],
    { encoding: 'utf8', timeout: 30_000 },
  );

test('port 0 is told as the port that it has become', async () => {
  const daemon = await startDaemon();
  const { host } = new URL(daemon.url);
  const { get } = http(daemon.url);
  expect((await get('/api/v1/runtime/config')).body.listen_addr).toBe(host);
  for (const path of ['info', 'config', 'capabilities', 'resources'])
    expect((await get(`/api/v1/runtime/${path}`)).body.runtime_id, path).toContain(host.replace(':', '-'));
  expect(JSON.parse(readFileSync(join(daemon.dataDir, 'daemon.json'), 'utf8')).listen_addr).toBe(daemon.url);
});

test('--listen-socket serves on a private socket alone, and clients reach it', async () => {
  const base = tempDir();
  const [socket, dataDir] = [join(base, 'socket'), join(base, 'data')];
  const args = ['serve', '--listen-socket', socket, '--data-dir', dataDir, '--disable-cgroup'];
  const child = spawn(process.execPath, [EXECUTABLE, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, npm_lifecycle_event: 'start' },
  });
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await waitFor(() => child.exitCode !== null, { what: 'the end of the daemon' });
  });
  let greeting = '';
  child.stderr.on('data', (text: Buffer) => (greeting += text.toString()));
  child.stdout.resume();
  await waitFor(() => greeting.includes('curl'), { what: 'the greeting' });
  expect(greeting).toContain(`npx execgo run --server unix:${socket} --`);
  expect(greeting).toContain(`curl --unix-socket ${socket} http://localhost/`);
  expect(statSync(socket).mode & 0o777).toBe(0o600);
  const listed = await execgo(['list', '--json', '--server', `unix:${socket}`]);
  expect([listed.code, JSON.parse(listed.stdout)]).toEqual([0, { tasks: [] }]);
  expect(JSON.parse(readFileSync(join(dataDir, 'daemon.json'), 'utf8')).listen_addr).toBe(`unix:${socket}`);
  expect(refused(['--listen-socket', socket]).stderr).toMatch(/is in use, by another execgo daemon/);
});

test('--listen-socket-mode lets a group in, and the group alone', async () => {
  const dir = tempDir();
  chmodSync(dir, 0o711);
  const socket = join(dir, 'socket');
  const group = 12_345;
  const connectAs = (gid: number) =>
    spawnSync(
      'python3',
      ['-c', 'import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])', socket],
      {
        uid: 65_534,
        gid,
        stdio: 'ignore',
      },
    ).status;
  await startDaemon({ listen: { socket }, flags: ['--listen-socket-mode', '0660'] });
  expect(statSync(socket).mode & 0o777).toBe(0o660);
  chownSync(socket, 0, group);
  expect([connectAs(group), connectAs(group + 1)]).toEqual([0, 1]);
});

test('a Unix socket that was passed is told as what it is, and clients reach it', async () => {
  const passed = join(tempDir(), 'passed');
  const daemon = await startDaemon({ listen: { passed } });
  const url = `unix:${passed}`;
  expect(daemon.url).toBe(url);
  expect(JSON.parse(readFileSync(join(daemon.dataDir, 'daemon.json'), 'utf8')).listen_addr).toBe(url);
  expect((await http(url).get('/api/v1/runtime/config')).body).toMatchObject({ listen_addr: url });
  const ran = await execgo(['run', '--server', url, '--', 'echo', 'reached']);
  expect([ran.code, ran.stdout]).toEqual([0, 'reached\n']);
  // What finds the daemon by its data directory gets to it, too.
  const gc = await execgo(['gc', '--json', '--data-dir', daemon.dataDir]);
  expect([gc.code, gc.stderr]).toEqual([0, '']);
  const second = refused(['--data-dir', daemon.dataDir]);
  expect([second.status, second.stderr]).toEqual([1, expect.stringContaining(`listening on ${url}`)]);
});

test('what cannot be listened on is refused in words, and what is there is left alone', async () => {
  const daemon = await startDaemon();
  const taken = refused(['--listen-addr', new URL(daemon.url).host]);
  expect([taken.status, taken.stderr]).toEqual([
    1,
    expect.stringMatching(/another execgo daemon.*ss -ltnp.*--listen-addr/),
  ]);
  const file = join(tempDir(), 'file');
  writeFileSync(file, 'precious');
  expect(refused(['--listen-socket', file]).status).toBe(1);
  expect(readFileSync(file, 'utf8')).toBe('precious');
  expect(refused(['--listen-socket', `/tmp/${'x'.repeat(120)}`]).stderr).toContain('107 bytes');
  expect(refused(['--listen-socket', file, '--listen-addr', '127.0.0.1:0']).stderr).toContain('not both');
});

test('a daemon that cannot listen leaves nothing behind that it has made, and touches nothing else', async () => {
  const daemon = await startDaemon();
  const base = tempDir();
  const file = join(base, 'file');
  writeFileSync(file, 'precious');
  const held = join(base, 'held');
  await startDaemon({ listen: { socket: held } });
  const before = readdirSync(base).sort();
  for (const where of [
    ['--listen-addr', new URL(daemon.url).host],
    ['--listen-addr', '192.0.2.1:80', '--insecure'],
    ['--listen-socket', held],
    ['--listen-socket', file],
    ['--listen-socket', join(base, 'no-such', 'socket')],
  ]) {
    const { status, stderr } = refused(['--data-dir', join(base, 'new', 'data'), ...where]);
    expect([status, stderr], where.join(' ')).toEqual([1, expect.stringContaining('execgo: ')]);
    expect(readdirSync(base).sort(), where.join(' ')).toEqual(before);
  }
  // A directory that was there keeps what was in it, and no more.
  const mine = join(base, 'mine');
  mkdirSync(join(mine, 'tasks', 'old'), { recursive: true });
  writeFileSync(join(mine, 'notes'), 'mine');
  chmodSync(mine, 0o755);
  expect(refused(['--data-dir', mine, '--listen-addr', new URL(daemon.url).host]).status).toBe(1);
  expect(readdirSync(mine, { recursive: true }).sort()).toEqual(['notes', 'tasks', 'tasks/old']);
  expect(statSync(mine).mode & 0o777).toBe(0o755);
  expect(existsSync(held)).toBe(true);
  expect((await http(daemon.url).get('/healthz')).status).toBe(200);
});
