import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  command,
  execgoCommand,
  http,
  isAlive,
  startDaemon,
  submit,
  submitAndWait,
  tempDir,
  waitFor,
  waitForEnd,
} from '../harness/index.js';

const HANG_GUARD_MS = 30_000;

/** Runs `serve` where it must refuse. */
function refused(flags: string[], env: Record<string, string> = {}) {
  const dataDir = join(tempDir(), 'data');
  const result = spawnSync(...execgoCommand(['serve', '--data-dir', dataDir, ...flags]), {
    env: { ...process.env, ...env },
    encoding: 'utf8',
    timeout: HANG_GUARD_MS,
  });
  return { ...result, dataDir };
}

test('bad flags end it with exit 1 and say which; nothing is made', () => {
  const cases: [string[], string][] = [
    [['--max-running-tasks', '0'], '--max-running-tasks'],
    [['--max-running-tasks', 'many'], '--max-running-tasks'],
    [['--max-running-tasks', '0x10'], '--max-running-tasks'],
    [['--max-queued-tasks', ''], '--max-queued-tasks'],
    [['--max-queued-tasks', '-1'], '--max-queued-tasks'],
    [['--termination-grace-ms', '1.5'], '--termination-grace-ms'],
    [['--default-capability-mode', 'lax'], '--default-capability-mode'],
    [['--listen-addr', 'here'], '--listen-addr'],
    [['--listen-addr', '127.0.0.1:99999'], '--listen-addr'],
    [['--listen-addr', '0.0.0.0:0'], '--insecure'],
    [['--listen-socket-mode', '0660'], '--listen-socket-mode goes with --listen-socket'],
    ...['660x', '0770', '0060', '1660', '0400', '7', 'rw', ''].map((mode): [string[], string] => [
      ['--listen-socket', '/tmp/never', '--listen-socket-mode', mode],
      '--listen-socket-mode must be an octal mode from 0600 to 0666',
    ]),
    [['--listen-addr', '10.1.2.3:80'], '--insecure'],
    [['--cgroup-root', 'relative'], '--cgroup-root'],
    [['--capacity-memory-bytes', '1G'], '--capacity-memory-bytes'],
    [['--tenant-quota', 'red'], '--tenant-quota'],
    [['--tenant-quota', 'red=memory:5'], 'slots'],
    [['--tenant-quota', 'red=slots:x'], 'slots'],
    [['--tenant-quota', '=slots:1'], '--tenant-quota'],
    [['--tenant-quota', 'red=slots:1,space:5'], 'space'],
    [['--tenant-quota', 'red=slots:1,gpu:5', '--resource', 'licence=2'], 'disk:N, licence:N'],
    [['--resource', 'gpu'], '--resource: "gpu" has no "="'],
    [['--resource', 'gpu=1', '--resource', 'gpu=2'], '--resource: gpu is given twice'],
  ];
  for (const [flags, word] of cases) {
    const result = refused(flags);
    expect(result.status, flags.join(' ')).toBe(1);
    expect(result.stderr, flags.join(' ')).toContain(word);
    expect(existsSync(result.dataDir), flags.join(' ')).toBe(false);
  }
  const word = refused([], { EXECGO_RUNTIME_DISABLE_CGROUP: 'tru' });
  expect([word.status, word.stderr.includes('EXECGO_RUNTIME_DISABLE_CGROUP')]).toEqual([1, true]);
  const env = refused([], { EXECGO_RUNTIME_CAPACITY_PIDS: 'few' });
  expect([env.status, env.stderr.includes('EXECGO_RUNTIME_CAPACITY_PIDS')]).toEqual([1, true]);
  expect(refused(['--no-such-flag']).status).toBe(2);
});

test('a second daemon on one data directory says who holds it and touches nothing', async () => {
  const daemon = await startDaemon();
  const before = readdirSync(daemon.dataDir).sort();
  const second = spawnSync(
    ...execgoCommand(['serve', '--listen-addr', '127.0.0.1:0', '--data-dir', daemon.dataDir]),
    { encoding: 'utf8', timeout: HANG_GUARD_MS },
  );
  expect(second.status).toBe(1);
  expect(second.stderr).toContain(String(daemon.pid));
  expect(second.stderr).toContain(daemon.url);
  expect(readdirSync(daemon.dataDir).sort()).toEqual(before);
  expect((await submitAndWait(daemon, command('true'))).status).toBe('success');
});

test('an address in use is refused in words', async () => {
  const daemon = await startDaemon();
  const result = refused(['--listen-addr', new URL(daemon.url).host]);
  expect(result.status).toBe(1);
  expect(result.stderr).toMatch(/in use|EADDRINUSE/);
  expect(result.stderr).not.toMatch(/\n\s+at /);
});

test('a data directory that cannot be used is refused in words', () => {
  const file = join(tempDir(), 'file');
  writeFileSync(file, '');
  const notADirectory = spawnSync(...execgoCommand(['serve', '--data-dir', file]), {
    encoding: 'utf8',
    timeout: HANG_GUARD_MS,
  });
  expect(notADirectory.status).toBe(1);
  expect(notADirectory.stderr).toContain(file);
  const dir = join(tempDir(), 'data');
  mkdirSync(dir, { mode: 0o700 });
  writeFileSync(join(dir, 'runtime.db'), 'this is no database at all, whatever its name says');
  const noDatabase = spawnSync(...execgoCommand(['serve', '--data-dir', dir]), {
    encoding: 'utf8',
    timeout: HANG_GUARD_MS,
  });
  expect(noDatabase.status).toBe(1);
  expect(noDatabase.stderr).toContain('runtime.db');
});

test.each([
  ['/proc/execgo-data', 'no directory can be made there; choose another --data-dir'],
  ['/proc/a/b/c', 'no directory can be made there'],
  ['/etc/passwd', 'it is not a directory; choose another --data-dir'],
  ['/etc/passwd/below', 'is not a directory'],
])('the data directory %s is refused, and not tried for ever', (dir, words) => {
  const { status, stderr } = refused(['--data-dir', dir]);
  expect(status).toBe(1);
  expect(stderr).toContain(dir);
  expect(stderr).toContain(words);
  expect(stderr).not.toMatch(/\bE[A-Z]{4,}\b/);
});

test('a socket that cannot be made is told as it is', () => {
  const dir = tempDir();
  writeFileSync(join(dir, 'file'), 'keep');
  for (const [socket, words] of [
    ['gone/s.sock', `${dir}/gone does not exist; make it`],
    ['file', 'what is there is no socket; move it away'],
    ['file/s.sock', `${dir}/file is not a directory`],
  ] as const) {
    const { status, stderr } = refused(['--listen-socket', join(dir, socket)]);
    expect([status, stderr.includes(words)], stderr).toEqual([1, true]);
    expect(stderr).not.toMatch(/\bE[A-Z]{4,}\b|in use/);
  }
});

test('under npm start the way out is told as it is typed there', async () => {
  const daemon = await startDaemon();
  const env = { npm_lifecycle_event: 'start' };
  const inUse = refused(['--listen-addr', new URL(daemon.url).host], env);
  expect(inUse.stderr).toContain('npm start -- --listen-addr 127.0.0.1:0');
  const stray = refused(['127.0.0.1:0'], env);
  expect([stray.status, stray.stderr]).toEqual([
    2,
    expect.stringContaining('flags go after --: npm start -- '),
  ]);
  expect(refused(['127.0.0.1:0'], { npm_lifecycle_event: '' }).stderr).not.toContain('npm');
});

test('an orderly stop leaves running tasks to the supervisor, and the next start takes them over', async () => {
  const daemon = await startDaemon();
  const long = await submit(daemon, command('sleep', ['600']));
  const quick = await submit(daemon, command('sh', ['-c', 'sleep 0.5; echo done; exit 4']));
  const { pid } = await waitFor(
    async () => {
      const { body } = await http(daemon.url).get(`/api/v1/tasks/${long}`);
      return body.pid === undefined ? undefined : (body as { pid: number });
    },
    { what: 'the start' },
  );
  const supervisor = daemon.supervisorPid();
  await daemon.stop();
  expect([isAlive(pid), isAlive(supervisor)]).toEqual([true, true]);
  await daemon.restart();
  expect(daemon.supervisorPid()).toBe(supervisor);
  expect(await waitForEnd(daemon, quick)).toMatchObject({ status: 'failed', exit_code: 4, stdout: 'done\n' });
  const end = (await http(daemon.url).post(`/api/v1/tasks/${long}/kill?wait_ms=30000`)).body;
  expect(end).toMatchObject({ status: 'cancelled', pid });
});

test('--drain waits for the running tasks and starts no more', async () => {
  const daemon = await startDaemon({ flags: ['--drain', '--max-running-tasks', '1'] });
  const running = await submit(daemon, command('sh', ['-c', 'sleep 1; echo done']));
  const waiting = await submit(daemon, command('true'));
  await waitFor(async () => (await http(daemon.url).get(`/api/v1/tasks/${running}`)).body.pid, {
    what: 'the start',
  });
  process.kill(daemon.pid, 'SIGTERM');
  const refusedSubmit = await waitFor(
    async () => {
      const answer = await http(daemon.url).post('/api/v1/tasks', command('true'));
      return answer.status === 503 ? answer : undefined;
    },
    { what: 'the refusal' },
  );
  expect(refusedSubmit.body.error.code).toBe('unavailable');
  expect(await daemon.exited()).toEqual({ code: 0, signal: null });
  await daemon.restart({ flags: [] });
  expect(await waitForEnd(daemon, running)).toMatchObject({ status: 'success', stdout: 'done\n' });
  expect(await waitForEnd(daemon, waiting)).toMatchObject({ status: 'success' });
});

test('priority goes before age, age before nothing', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1'] });
  const busy = await submit(daemon, command('sleep', ['600']));
  const ids: string[] = [];
  for (const priority of [0, 5, 0, 9, -1, 5])
    ids.push(await submit(daemon, command('true', [], { policy: { priority } })));
  await http(daemon.url).post(`/api/v1/tasks/${busy}/kill`);
  const ends = await Promise.all(ids.map((id) => waitForEnd(daemon, id)));
  const events = (await http(daemon.url).get('/api/v1/events?limit=1000')).body;
  const order = (events.events ?? events)
    .filter(
      (e: { event_type: string; task_id: string }) =>
        e.event_type === 'resource_reserved' && e.task_id !== busy,
    )
    .map((e: { task_id: string }) => ids.indexOf(e.task_id));
  expect(order).toEqual([3, 1, 5, 0, 2, 4]);
  expect(new Set(ends.map((e) => e.status))).toEqual(new Set(['success']));
});

test('the log is JSON, a line each', async () => {
  const daemon = await startDaemon();
  await daemon.stop();
  const lines = daemon.output().trim().split('\n');
  for (const line of lines)
    expect(JSON.parse(line)).toMatchObject({ level: expect.any(Number), msg: expect.any(String) });
  expect(daemon.logs().map((l) => l.msg)).toEqual(expect.arrayContaining(['listening', 'stopped']));
});
