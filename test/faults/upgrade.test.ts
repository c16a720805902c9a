import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readBootId } from '../../src/sandbox/process/process-identity.js';
import { startSupervisor } from '../../src/executor/local/start.js';
import {
  command,
  EXECUTABLE,
  http,
  isAlive,
  startDaemon,
  submit,
  submitAndWait,
  tempDir,
  waitFor,
  waitForEnd,
  waitGone,
} from '../harness/index.js';
import { countedTask, settled, violations } from './invariants.js';
import { killHard, printed, startedPid, statusOf, supervisorDirs, withDatabase } from './support.js';

test('a supervisor of another version that speaks the same protocol is adopted', async () => {
  const daemon = await startDaemon();
  await daemon.stop();
  await waitGone(daemon.supervisorPid());
  const root = join(daemon.dataDir, 'supervisor');
  const old = await startSupervisor({ root, version: '0.0.1-older', entry: EXECUTABLE, idleExitMs: 600_000 });
  withDatabase(daemon.dataDir, (db) => {
    db.exec('DELETE FROM supervisors');
    db.prepare('INSERT INTO supervisors VALUES (?, ?, ?, ?, ?)').run(
      old.incarnation,
      old.pid,
      old.start_ticks,
      readBootId(),
      Date.now(),
    );
  });
  await daemon.restart();
  expect(daemon.supervisorPid()).toBe(old.pid);
  expect(await submitAndWait(daemon, command('echo', ['hello']))).toMatchObject({
    status: 'success',
    stdout: 'hello\n',
    shim_pid: old.pid,
  });
});

test('one that speaks another launch version finishes its tasks, new ones go to a new one', async () => {
  const runs = join(tempDir(), 'runs');
  const daemon = await startDaemon();
  const old = daemon.supervisorPid();
  const run = (body: string) => submit(daemon, countedTask(runs, body));
  const down = await run('echo up; while [ ! -e ../../../gate ]; do sleep 0.02; done; echo down; exit 3');
  const later = await run('echo up; while [ ! -e ../../../gate2 ]; do sleep 0.02; done; echo later');
  const killed = await run('echo up; exec sleep 600');
  for (const id of [down, later, killed]) await printed(daemon, id, 'up');
  await daemon.kill();
  mkdirSync(join(daemon.dataDir, 'gate'));
  await daemon.restart({ env: { EXECGO_TEST_LAUNCH_VERSION: '999' } });

  expect(daemon.supervisorPid()).not.toBe(old);
  expect(await waitForEnd(daemon, down)).toMatchObject({ exit_code: 3, stdout: 'up\ndown\n', shim_pid: old });
  const fresh = await run('echo new');
  expect(await waitForEnd(daemon, fresh)).toMatchObject({
    status: 'success',
    shim_pid: daemon.supervisorPid(),
  });
  expect((await statusOf(daemon, later)).status).toBe('running');
  await http(daemon.url).post(`/api/v1/tasks/${killed}/kill`);
  expect(await waitForEnd(daemon, killed)).toMatchObject({ status: 'cancelled', shim_pid: old });
  expect(isAlive(old)).toBe(true);
  mkdirSync(join(daemon.dataDir, 'gate2'));
  expect(await waitForEnd(daemon, later)).toMatchObject({ status: 'success', stdout: 'up\nlater\n' });
  await waitGone(old, { what: 'the end of the older supervisor, which has nothing left' });
  await waitFor(() => supervisorDirs(daemon.dataDir).length === 1);
  await settled(daemon);
  expect(await violations(daemon, { acknowledged: [down, later, killed, fresh], runs })).toEqual([]);
});

test('an impostor on the socket is told nothing, and the true supervisor is taken back', async () => {
  const runs = join(tempDir(), 'runs');
  const daemon = await startDaemon();
  const supervisor = daemon.supervisorPid();
  const id = await submit(daemon, countedTask(runs, 'echo up; sleep 0.5; echo done'));
  await printed(daemon, id, 'up');
  const socket = join(supervisorDirs(daemon.dataDir)[0]!, 's');
  // Stopped, it cannot see that its place was taken.
  process.kill(supervisor, 'SIGSTOP');
  await daemon.kill();
  renameSync(socket, `${socket}.true`);
  let heard = '';
  const impostor = createServer((connection) => {
    connection.on('error', () => undefined);
    connection.on('data', (text) => {
      heard += text.toString();
      const proof = '00'.repeat(32);
      const hello = {
        type: 'hello',
        protocol: 1,
        launch_version: 1,
        version: '1',
        incarnation: 'x',
        pid: 1,
        proof,
      };
      connection.write(`${JSON.stringify(hello)}\n{"type":"running","launches":[]}\n{"type":"listed"}\n`);
    });
  });
  await new Promise<void>((resolve) => impostor.listen(socket, resolve));
  onTestFinished(() => void impostor.close());
  await daemon.restart();
  expect(daemon.supervisorPid()).not.toBe(supervisor);
  expect((await submitAndWait(daemon, command('true'))).status).toBe('success');
  expect((await statusOf(daemon, id)).status).toBe('running');
  expect(heard.split('\n').filter((line) => line !== '' && !line.startsWith('{"type":"hello"'))).toEqual([]);
  expect(daemon.output()).toMatch(/impostor/);

  await new Promise((resolve) => impostor.close(resolve));
  renameSync(`${socket}.true`, socket);
  process.kill(supervisor, 'SIGCONT');
  expect(await waitForEnd(daemon, id)).toMatchObject({ status: 'success', stdout: 'up\ndone\n' });
  await waitGone(supervisor);
});

test('a data directory with a long path: its socket is elsewhere, found again, and removed', async () => {
  const base = tempDir();
  const dataDir = join(base, 'a-long-name-'.repeat(8), 'and-more-of-it-'.repeat(8), 'data');
  mkdirSync(join(dataDir, '..'), { recursive: true });
  const daemon = await startDaemon({ dataDir });
  const place = () => readFileSync(join(supervisorDirs(dataDir)[0]!, 'socket-path'), 'utf8');
  const first = place();
  expect(Buffer.byteLength(first)).toBeLessThan(100);
  expect(statSync(join(first, '..')).mode & 0o777).toBe(0o700);
  const supervisor = daemon.supervisorPid();
  const id = await submit(daemon, command('sh', ['-c', 'echo up; sleep 0.3; echo done']));
  await printed(daemon, id, 'up');
  await daemon.kill();
  await daemon.restart();
  expect(daemon.supervisorPid()).toBe(supervisor);
  expect(await waitForEnd(daemon, id)).toMatchObject({ status: 'success', stdout: 'up\ndone\n' });

  await killHard(supervisor);
  await waitFor(() => !existsSync(join(first, '..')), { what: 'the removal of its place' });
  expect((await submitAndWait(daemon, command('true'))).status).toBe('success');
  const second = place();
  expect(second).not.toBe(first);
  const last = await submit(daemon, command('sleep', ['600']));
  const pid = await startedPid(daemon, last);
  await daemon.kill();
  // Where its tasks talk to a daemon, the next daemon there would have removed.
  const talk = readFileSync(join(dataDir, 'task-socket'), 'utf8').trim();
  rmSync(dataDir, { recursive: true });
  await waitGone(pid);
  await waitFor(() => !existsSync(join(second, '..')), { what: 'the removal of its place' });
  expect(readdirSync(talk)).toContain('task.sock');
  rmSync(talk, { recursive: true });
});

test('a data directory that is deleted takes its supervisor and its tasks with it', async () => {
  const daemon = await startDaemon();
  const supervisor = daemon.supervisorPid();
  const id = await submit(daemon, command('sleep', ['600']));
  const pid = await startedPid(daemon, id);
  await daemon.kill();
  rmSync(daemon.dataDir, { recursive: true });
  await waitGone(pid);
  await waitGone(supervisor);
  expect(readdirSync(join(daemon.dataDir, '..'))).not.toContain('data');
});
