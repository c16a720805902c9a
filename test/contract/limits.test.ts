import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  command,
  execgo,
  http,
  script,
  startDaemon,
  submit,
  submitAndWait,
  tempDir,
  waitForEnd,
} from '../harness/index.js';

test('who sets no wall time gets that of the daemon, and who sets 0 gets none', async () => {
  const daemon = await startDaemon({
    flags: ['--default-wall-time-ms', '300', '--termination-grace-ms', '200'],
  });
  const flag = join(tempDir(), 'flag');
  const untilFlag = `until [ -e ${flag} ]; do sleep 0.05; done`;
  const endless = await submit(daemon, script(untilFlag, { limits: { wall_time_ms: 0 } }));
  const atShell = execgo(['run', '--', 'sh', '-c', untilFlag], { daemon });
  const own = await submitAndWait(daemon, command('sleep', ['60'], { limits: { wall_time_ms: 301 } }));
  const end = await submitAndWait(daemon, command('sleep', ['60']));
  expect(end).toMatchObject({
    cause: 'timeout',
    error: {
      message:
        'task exceeded wall_time_ms: 300 ms, the default of the daemon; limits.wall_time_ms in the request sets another, 0 none',
    },
    execution_plan: { resource_enforcement: { wall_time_ms: 300, wall_time_source: 'default' } },
  });
  expect(own.error?.message).toBe('task exceeded wall_time_ms: 301 ms, as its request says');
  writeFileSync(flag, '');
  const done = await waitForEnd(daemon, endless);
  expect(done).toMatchObject({
    status: 'success',
    execution_plan: { resource_enforcement: { wall_time_ms: 0 } },
  });
  expect(done.execution_plan?.resource_enforcement).not.toHaveProperty('wall_time_mechanism');
  expect((await atShell).code).toBe(0);
  const config = (await http(daemon.url).get('/api/v1/runtime/config')).body;
  expect(config).toMatchObject({ default_wall_time_ms: 300 });
});

test('a default of 0 is none', async () => {
  const daemon = await startDaemon({ flags: ['--default-wall-time-ms', '0'] });
  const end = await submitAndWait(daemon, command('true'));
  expect(end).toMatchObject({
    status: 'success',
    execution_plan: { resource_enforcement: { wall_time_ms: 0, wall_time_source: 'default' } },
  });
  expect(JSON.parse(readFileSync(end.artifacts.request_path, 'utf8')).limits.wall_time_ms).toBe(0);
});

test('what a status shows does not decide what is kept', async () => {
  const daemon = await startDaemon({ flags: ['--output-keep-bytes', '100000'] });
  const write = (limits: object) =>
    submitAndWait(daemon, script('seq 1 200000; seq 1 200000 >&2', { limits }));
  const all = Array.from({ length: 200_000 }, (_, i) => `${i + 1}\n`).join('');
  const shown = await write({ stdout_max_bytes: 10 });
  expect(shown).toMatchObject({ stdout: all.slice(0, 10), stdout_truncated: true, stdout_bytes: all.length });
  expect(shown.stdout_tail).toBe(all.slice(-65_536));
  expect(shown.stdout_omitted_bytes).toBe(all.length - 100_000 - 65_536);
  expect(readFileSync(shown.artifacts.stdout_path, 'utf8')).toBe(all.slice(0, 100_000));
  // Who wants to see more than the daemon keeps by itself has it kept.
  expect(statSync(shown.artifacts.stderr_path).size).toBe(all.length);
  expect(shown).toMatchObject({ stderr: all, stderr_truncated: false });
  const own = await write({ stdout_max_bytes: 10, stdout_keep_bytes: 2_000_000, stderr_keep_bytes: 20 });
  expect(readFileSync(own.artifacts.stdout_path, 'utf8')).toBe(all);
  expect(own).toMatchObject({ stdout_truncated: true, stderr: all.slice(0, 20), stderr_truncated: true });
  expect(own).not.toHaveProperty('stdout_omitted_bytes');
  expect(own.stdout_tail).toBe(all.slice(-65_536));
  expect(own.stderr_omitted_bytes).toBe(all.length - 20 - 65_536);
  const request = JSON.parse(readFileSync(shown.artifacts.request_path, 'utf8'));
  expect(request.limits).toMatchObject({ stdout_keep_bytes: 100_000, stderr_keep_bytes: 4_194_304 });
});

test('fifteen megabytes of output come through whole', async () => {
  const daemon = await startDaemon();
  const { code, stdout, stderr } = await execgo(['run', '--', 'seq', '1', '2000000'], { daemon });
  expect([code, stderr, stdout.length]).toEqual([0, '', 14_888_896]);
  expect(stdout.slice(-16)).toBe('1999999\n2000000\n');
});
