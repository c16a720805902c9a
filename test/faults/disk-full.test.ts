import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { EXECUTABLE } from '../harness/executable.js';
import {
  command,
  eventTypes,
  http,
  isAlive,
  script,
  startDaemon,
  submit,
  submitAndWait,
  tempDir,
  waitFor,
  waitForEnd,
  waitGone,
} from '../harness/index.js';
import { mountDisk } from './disk.js';
import {
  expectHealthy,
  expectReadable,
  expectRefused,
  kill,
  LINE,
  logged,
  readiness,
  started,
  status,
  stepwise,
  thousandLines,
} from './full-disk.js';

test('the whole data directory', async () => {
  const disk = mountDisk(join(tempDir(), 'data'), 4);
  const daemon = await startDaemon({ dataDir: disk.path, flags: ['--max-running-tasks', '2'] });
  const writer = stepwise({ early: thousandLines, late: thousandLines, end: 'exit 7' });
  const writing = await submit(daemon, script(writer.script));
  const sleeping = await submit(daemon, command('sleep', ['1000']));
  const [killedWaiting, waiting] = [
    await submit(daemon, command('/bin/true')),
    await submit(daemon, command('/bin/echo', ['late but well'])),
  ];
  await started(daemon, writing);
  const { pid } = await started(daemon, sleeping);
  await writer.go('early');

  disk.fill();
  expect(await readiness(daemon)).toBe(503);
  await expectRefused(daemon, 'refused');
  await kill(daemon, sleeping);
  await kill(daemon, killedWaiting);
  await waitGone(pid!);
  await writer.go('late');
  expect(await status(daemon, writing)).toMatchObject({ status: 'running' });
  writer.tell('end');
  await waitFor(() => logged(daemon, 'cannot write down how', writing));
  await expectReadable(daemon);
  await expectRefused(daemon, 'refused');
  for (const id of [writing, sleeping]) expect((await status(daemon, id)).status).toBe('running');
  for (const id of [killedWaiting, waiting]) expect((await status(daemon, id)).status).toBe('accepted');
  expect(isAlive(daemon.supervisorPid())).toBe(true);

  disk.free();
  const written = await waitForEnd(daemon, writing);
  expect(written).toMatchObject({
    status: 'failed',
    exit_code: 7,
    stdout_bytes: 200_000,
    stdout_truncated: true,
  });
  const kept = readFileSync(written.artifacts.stdout_path, 'latin1');
  expect(kept.length).toBeLessThan(200_000);
  expect(kept.length).toBeGreaterThanOrEqual(100_000);
  expect(LINE.repeat(2000).startsWith(kept)).toBe(true);
  expect(JSON.parse(readFileSync(written.artifacts.result_path, 'utf8'))).toMatchObject({ exit_code: 7 });
  expect(await waitForEnd(daemon, sleeping)).toMatchObject({ status: 'cancelled', kill_requested: true });
  expect((await eventTypes(daemon, sleeping)).slice(3)).toEqual([
    'resource_reserved',
    'started',
    'kill_requested',
    'resource_released',
    'cancelled',
  ]);
  expect(await waitForEnd(daemon, killedWaiting)).toMatchObject({ status: 'cancelled' });
  expect(await waitForEnd(daemon, waiting)).toMatchObject({ status: 'success', stdout: 'late but well\n' });
  const again = {
    task_id: 'refused',
    ...command('/bin/true'),
    control_context: { idempotency_key: 'key of refused' },
  };
  expect(await submitAndWait(daemon, again)).toMatchObject({ status: 'success' });
  await expectHealthy(daemon);
});

test('the share of a task that would start at once', async () => {
  const disk = mountDisk(join(tempDir(), 'data'), 4);
  const daemon = await startDaemon({ dataDir: disk.path, flags: ['--max-running-tasks', '1'] });
  disk.fill();
  await expectRefused(daemon, 'refused');
  const resources = await http(daemon.url).get('/api/v1/runtime/resources');
  expect(resources.body).toMatchObject({ reserved: { task_slots: 0 } });
  disk.free();
  expect(await submitAndWait(daemon, command('/bin/true'))).toMatchObject({ status: 'success' });
  await expectHealthy(daemon);
});

test('the log of the daemon', async () => {
  const base = tempDir();
  const disk = mountDisk(join(base, 'log'), 1);
  const log = join(disk.path, 'daemon.log');
  const out = openSync(log, 'a');
  const args = ['serve', '--listen-addr', '127.0.0.1:0', '--disable-cgroup', '--log-level', 'trace'];
  const child = spawn(process.execPath, [EXECUTABLE, ...args, '--data-dir', join(base, 'data')], {
    stdio: ['ignore', out, 'inherit'],
  });
  closeSync(out);
  const ended = new Promise((resolve) => child.on('exit', resolve));
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  const lines = () =>
    readFileSync(log, 'utf8')
      .split('\n')
      .filter((line) => line.endsWith('}'));
  const url = await waitFor(() => {
    const line = lines().find((each) => each.includes('"listening"'));
    return line !== undefined && (JSON.parse(line) as { url: string }).url;
  });
  disk.fill();
  const before = lines().length;
  for (let i = 0; i < 100; i++) expect((await http(url).get('/api/v1/tasks/unknown')).status).toBe(404);
  const atMost = lines().length;
  expect(atMost - before).toBeLessThan(100);
  expect(await submitAndWait({ url }, command('/bin/true'))).toMatchObject({ status: 'success' });

  disk.free();
  await http(url).get('/api/v1/tasks/unknown');
  await waitFor(() => lines().length > atMost);
  expect(() => JSON.parse(lines().at(-1)!) as unknown).not.toThrow();
});
