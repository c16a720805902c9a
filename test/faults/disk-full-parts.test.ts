import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  command,
  eventTypes,
  isAlive,
  script,
  startDaemon,
  submit,
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
  logged,
  readiness,
  started,
  status,
  stepwise,
  thousandLines,
} from './full-disk.js';

test('the database alone', async () => {
  const dataDir = join(tempDir(), 'data');
  const disk = mountDisk(dataDir, 4);
  mountDisk(join(dataDir, 'tasks'), 16);
  mountDisk(join(dataDir, 'supervisor'), 16);
  const daemon = await startDaemon({ dataDir, flags: ['--max-running-tasks', '1'] });
  const writer = stepwise({ late: thousandLines, end: 'exit 3' });
  const running = await submit(daemon, script(writer.script));
  const waiting = await submit(daemon, command('/bin/echo', ['started late']));
  await started(daemon, running);

  // Killed, because a daemon that stops in order leaves no log whose room the next one could use.
  await daemon.kill();
  disk.fill();
  await daemon.restart({ flags: ['--max-running-tasks', '2'] });
  await waitFor(() => logged(daemon, 'cannot write down an attempt', waiting));
  await expectReadable(daemon);
  await expectRefused(daemon, 'refused');
  await writer.go('late');
  writer.tell('end');
  await waitFor(() => logged(daemon, 'cannot write down how', running));
  // A supervisor that dies now can be neither forgotten nor replaced.
  process.kill(daemon.supervisorPid(), 'SIGKILL');
  await waitFor(() => logged(daemon, 'cannot start a supervisor'));
  await expectReadable(daemon);
  expect((await status(daemon, waiting)).status).toBe('accepted');
  expect((await status(daemon, running)).status).toBe('running');
  expect(await readiness(daemon)).toBe(503);

  disk.free();
  expect(await waitForEnd(daemon, running)).toMatchObject({
    exit_code: 3,
    stdout_bytes: 100_000,
    stdout_truncated: false,
  });
  expect(await waitForEnd(daemon, waiting)).toMatchObject({ status: 'success', stdout: 'started late\n' });
  await expectHealthy(daemon);
  expect(readdirSync(join(dataDir, 'supervisor'))).toHaveLength(1);
});

test('the journal alone', async () => {
  const dataDir = join(tempDir(), 'data');
  const disk = mountDisk(join(dataDir, 'supervisor'), 1);
  const daemon = await startDaemon({ dataDir, flags: ['--max-running-tasks', '3'] });
  const [told, kept] = [stepwise({ end: 'exit 3' }), stepwise({ end: 'exit 4' })];
  const [toldId, keptId] = [
    await submit(daemon, script(told.script)),
    await submit(daemon, script(kept.script)),
  ];
  for (const id of [toldId, keptId]) await started(daemon, id);

  disk.fill();
  // What is left of the journal's last block takes some records more.
  const killed = await waitFor(async () => {
    const id = await submit(daemon, command('/bin/echo', ['ran before']));
    const refused = () => logged(daemon, 'refused an attempt', id);
    await waitFor(async () => refused() || (await status(daemon, id)).status !== 'running');
    return refused() && id;
  });
  told.tell('end');
  expect(await waitForEnd(daemon, toldId)).toMatchObject({ status: 'failed', exit_code: 3 });
  await kill(daemon, killed);
  expect(await waitForEnd(daemon, killed)).toMatchObject({ status: 'cancelled', stdout: '' });
  const late = await submit(daemon, command('/bin/echo', ['started late']));
  await waitFor(() => logged(daemon, 'refused an attempt', late));
  expect((await status(daemon, late)).status).toBe('running');

  // An outcome that is in no journal is kept for the next daemon.
  const supervisor = daemon.supervisorPid();
  const { pid } = await status(daemon, keptId);
  await daemon.kill();
  kept.tell('end');
  await waitGone(pid!);
  await daemon.restart();
  expect(await waitForEnd(daemon, keptId)).toMatchObject({ status: 'failed', exit_code: 4 });
  expect(await readiness(daemon)).toBe(200);

  disk.free();
  expect(await waitForEnd(daemon, late)).toMatchObject({ status: 'success', stdout: 'started late\n' });
  expect(daemon.supervisorPid()).toBe(supervisor);
  expect((await eventTypes(daemon, late)).filter((type) => type === 'started')).toHaveLength(1);
  await expectHealthy(daemon);
});

test('a supervisor that dies while the journal has no room', async () => {
  const dataDir = join(tempDir(), 'data');
  const disk = mountDisk(join(dataDir, 'supervisor'), 1);
  const daemon = await startDaemon({ dataDir });
  const lost = await submit(daemon, command('sleep', ['1000']));
  const { pid } = await started(daemon, lost);

  disk.fill();
  process.kill(daemon.supervisorPid(), 'SIGKILL');
  expect(await waitForEnd(daemon, lost)).toMatchObject({ status: 'failed', cause: 'lost' });
  expect(isAlive(pid!)).toBe(false);
  await waitFor(() => logged(daemon, 'cannot start a supervisor'));
  const late = await submit(daemon, command('/bin/echo', ['started late']));
  await expectReadable(daemon);

  disk.free();
  expect(await waitForEnd(daemon, late)).toMatchObject({ status: 'success', stdout: 'started late\n' });
  expect(readdirSync(disk.path)).toHaveLength(1);
  await expectHealthy(daemon);
});

test('the files of the tasks alone', async () => {
  const dataDir = join(tempDir(), 'data');
  const disk = mountDisk(join(dataDir, 'tasks'), 1);
  const daemon = await startDaemon({ dataDir, flags: ['--max-running-tasks', '2'] });
  const writer = stepwise({ late: thousandLines, end: 'echo bad >&2; exit 5' });
  const writing = await submit(daemon, script(writer.script));
  const sleeping = await submit(daemon, command('sleep', ['1000']));
  const waiting = await submit(daemon, command('/bin/echo', ['late but well']));
  for (const id of [writing, sleeping]) await started(daemon, id);

  disk.fill();
  await expectRefused(daemon, 'refused');
  expect(await readiness(daemon)).toBe(200);
  await kill(daemon, sleeping);
  await writer.go('late');
  writer.tell('end');
  for (const id of [writing, sleeping]) await waitFor(() => logged(daemon, 'cannot write down how', id));
  expect(await status(daemon, sleeping)).toMatchObject({ status: 'running', kill_requested: true });
  expect(await status(daemon, writing)).toMatchObject({ status: 'running', stdout_bytes: 0 });
  await expectReadable(daemon);

  disk.free();
  const written = await waitForEnd(daemon, writing);
  expect(written).toMatchObject({ exit_code: 5, stdout: '', stdout_bytes: 100_000, stderr_bytes: 4 });
  expect(written).toMatchObject({ stdout_truncated: true, stderr_truncated: true });
  expect(await waitForEnd(daemon, sleeping)).toMatchObject({ status: 'cancelled' });
  expect(await waitForEnd(daemon, waiting)).toMatchObject({ status: 'success', stdout: 'late but well\n' });
  expect(readdirSync(written.artifacts.task_dir).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  await expectHealthy(daemon);
});
