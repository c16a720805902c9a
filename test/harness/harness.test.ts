import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { http, isAlive, openFds, processesOf, tempDir, waitFor, waitGone } from './index.js';
import { findLeaks, lookAround } from './leaks.js';
import { RUN_DIR_VARIABLE, TEST_PREFIX } from './run-dir.js';

/** A process that is ended after the test, at the latest. */
function sleeper(env: Record<string, string>, cwd = '/') {
  const child = spawn('/bin/sleep', ['1000'], { env, cwd, stdio: 'ignore' });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await waitGone(child.pid!);
  });
  return child;
}

describe('temporary directories', () => {
  const made: string[] = [];

  test('are empty, apart from each other and inside the run’s own', () => {
    made.push(tempDir(), tempDir());
    writeFileSync(join(made[0]!, 'file'), 'x');
    expect(new Set(made).size).toBe(2);
    expect(made[0]).toContain(process.env[RUN_DIR_VARIABLE]!);
    expect(tmpdir()).toBe(process.env[RUN_DIR_VARIABLE]);
  });

  test('are gone after their test', () => {
    expect(made.filter((dir) => existsSync(dir))).toEqual([]);
  });
});

describe('waitFor', () => {
  test('gives what came', async () => {
    let asked = 0;
    expect(await waitFor(() => (++asked < 3 ? undefined : 'here'))).toBe('here');
    expect(await waitFor(() => 0)).toBe(0);
  });

  test('names what did not come, and why', async () => {
    const never = waitFor(() => Promise.reject(new Error('not yet')), { timeoutMs: 20, what: 'the answer' });
    await expect(never).rejects.toMatchObject({
      message: 'the answer did not come within 20 ms',
      cause: new Error('not yet'),
    });
  });
});

test('processes are found by task id and by token, and their descriptors are listed', async () => {
  const id = basename(tempDir());
  const child = sleeper({ EXECGO_TASK_ID: id, EXECGO_LAUNCH: `${id}-token` });
  const pids = (word: string) => processesOf(word).map((p) => p.pid);
  await waitFor(() => pids(id).length > 0);
  expect(pids(id)).toEqual([child.pid]);
  expect(pids(`${id}-token`)).toEqual([child.pid]);
  expect(pids(`${id}-toke`)).toEqual([]);
  expect(openFds(child.pid!).get(0)).toBe('/dev/null');
  child.kill();
  await waitGone(child.pid!);
  expect(isAlive(child.pid!)).toBe(false);
});

test('the HTTP client sends JSON only where there is a body, and gives back what came', async () => {
  const server = createServer((req, res) => {
    req.setEncoding('utf8');
    let body = '';
    req.on('data', (text: string) => (body += text));
    req.on('end', () => {
      res.writeHead(418, { 'content-type': 'application/json' });
      res.end(JSON.stringify({ method: req.method, url: req.url, type: req.headers['content-type'], body }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const client = http(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const get = await client.get('/a?b=c');
  expect([get.status, get.body]).toEqual([418, { method: 'GET', url: '/a?b=c', body: '' }]);
  expect((await client.post('/kill')).body).toEqual({ method: 'POST', url: '/kill', body: '' });
  expect((await client.post('/', { x: 1 })).body).toMatchObject({
    type: 'application/json',
    body: '{"x":1}',
  });
  expect((await client.post('/', 'raw', { 'content-type': 'text/plain' })).body).toMatchObject({
    type: 'text/plain',
    body: 'raw',
  });
});

describe('the leak watch', () => {
  /** A run of its own inside this one, so that what it leaves is not this run's. */
  function otherRun(): string {
    const dir = join(tempDir(), `${TEST_PREFIX}inner`);
    mkdirSync(dir);
    return dir;
  }

  test('says nothing about a clean run', async () => {
    expect(await findLeaks(otherRun(), lookAround(), 0)).toEqual([]);
  });

  test('finds files and directories', async () => {
    const run = otherRun();
    writeFileSync(join(run, 'left'), '');
    expect(await findLeaks(run, lookAround(), 0)).toEqual([
      `temporary file or directory was left: ${run}/left`,
    ]);
  });

  test.each([
    ['its temporary directory', (run: string) => ['/', { TMPDIR: join(run, 'x') }] as const],
    ['the variable that names its run', (run: string) => ['/', { [RUN_DIR_VARIABLE]: run }] as const],
    ['its working directory', (run: string) => [run, {}] as const],
  ])('finds a process by %s', async (_, place) => {
    const run = otherRun();
    const before = lookAround();
    const pid = await grandchild(...place(run));
    expect(await findLeaks(run, before, 0)).toEqual([
      expect.stringMatching(`^process ${pid} was left running: `),
    ]);
  });

  test('finds a process by its cgroup, whatever it has cast off', async () => {
    const run = otherRun();
    const before = lookAround();
    const dir = cgroup(`${basename(run)}-1`);
    const pid = await grandchild('/', {});
    writeFileSync(join(dir, 'cgroup.procs'), String(pid));
    expect(await findLeaks(run, before, 0)).toContainEqual(
      expect.stringMatching(`^process ${pid} was left running: `),
    );
  });

  test('leaves a daemon alone that somebody else has started meanwhile, with its tasks and cgroups', async () => {
    const run = otherRun();
    const before = lookAround();
    cgroup(`execgo-runtime-${basename(run)}`);
    await grandchild('/', { TMPDIR: '/tmp', EXECGO_TASK_ID: 'own', EXECGO_LAUNCH: 'own' });
    await grandchild('/', { TMPDIR: `${run}-of-another` });
    expect(await findLeaks(run, before, 0)).toEqual([]);
  });

  test('finds cgroup directories of the run, and leaves those of other runs alone', async () => {
    const own = otherRun();
    const before = lookAround();
    const [mine] = [`${basename(own)}-1`, `${TEST_PREFIX}other-1`].map(cgroup);
    expect(await findLeaks(own, before, 0)).toEqual([`cgroup directory was left: ${mine}`]);
  });
});

/** Pid of a sleeping process that is ended after the test: children of the process that looks are the test runner's own. */
async function grandchild(cwd: string, env: Record<string, string>): Promise<number> {
  const parent = spawn('/bin/sh', ['-c', 'sleep 1000 & echo $!; wait'], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const pid = await new Promise<number>((resolve) =>
    parent.stdout.once('data', (text) => resolve(Number(text))),
  );
  onTestFinished(async () => {
    process.kill(pid, 'SIGKILL');
    await waitGone(parent.pid!);
    await waitGone(pid);
  });
  return pid;
}

/** A cgroup directory, removed after the test, and after the processes in it that were made later. */
function cgroup(name: string): string {
  const dir = join(cgroupParent('/sys/fs/cgroup'), name);
  mkdirSync(dir);
  onTestFinished(() => rmdirSync(dir));
  return dir;
}

/** A directory in which a cgroup can be made. */
function cgroupParent(root: string): string {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '));
  return mounts.find(([, path, type]) => type?.startsWith('cgroup') && path?.startsWith(root))?.[1] ?? root;
}
