import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  type Daemon,
  eventTypes,
  http,
  script,
  startDaemon,
  submit,
  tempDir,
  waitFor,
  waitForEnd,
  waitGone,
} from '../harness/index.js';
import { countedTask, settled, violations } from './invariants.js';
import { endsInJournal, printed, startedPid, statusOf } from './support.js';

const GATE = 'while [ ! -e ../../../gate ]; do sleep 0.02; done';
/** Writes numbered lines, some at once and some with pauses, until the gate is open. */
const WRITER = `n=0; while [ ! -e ../../../gate ]; do
  for i in 1 2 3 4 5 6 7 8 9 10; do n=$((n+1)); echo "line $n"; done; sleep 0.005; done; echo "end $n"`;

/** Opens the gate that the tasks of `daemon` wait at. */
function openGate(daemon: Daemon): void {
  mkdirSync(join(daemon.dataDir, 'gate'));
}

function expectWholeOutput(stdout: string): void {
  const lines = stdout.split('\n').slice(0, -1);
  const count = lines.length - 1;
  expect(lines.at(-1)).toBe(`end ${count}`);
  expect(lines.findIndex((line, i) => i < count && line !== `line ${i + 1}`)).toBe(-1);
}

test('kill -9 of the daemon: every task ends as it did, whatever it was doing, and runs on meanwhile', async () => {
  const runs = join(tempDir(), 'runs');
  const daemon = await startDaemon({
    flags: ['--max-running-tasks', '6', '--termination-grace-ms', '2500'],
  });
  const supervisor = daemon.supervisorPid();
  const run = (body: string, more: object = {}) => submit(daemon, countedTask(runs, body, more));
  const ids = {
    exits: await run(`echo up; ${GATE}; echo done; echo oops >&2; exit 3`),
    dies: await run(`echo up; ${GATE}; kill -SEGV $$`),
    slow: await run('echo up; sleep 600', { limits: { wall_time_ms: 2500 } }),
    stubborn: await run("trap 'echo told' TERM; echo up; while :; do sleep 0.05; done"),
    writes: await run(`echo up >&2; ${WRITER}`, { limits: { stdout_max_bytes: 64 << 20 } }),
    stays: await run('echo up; exec sleep 600'),
  };
  const waiting = await run('echo waited');
  for (const [name, id] of Object.entries(ids)) {
    if (name === 'writes') await startedPid(daemon, id);
    else await printed(daemon, id, 'up');
  }
  const pids = await Promise.all(Object.values(ids).map((id) => startedPid(daemon, id)));
  const killed = await http(daemon.url).post(`/api/v1/tasks/${ids.stubborn}/kill`);
  expect(killed.body).toMatchObject({ status: 'running', kill_requested: true });
  // The answer may come before the supervisor has heard of it; the next daemon would tell it then.
  await printed(daemon, ids.stubborn, 'told');

  await daemon.kill();
  openGate(daemon);
  // Not only gone: an end that is not written down yet would be one that the next daemon sees happen.
  await endsInJournal(daemon, pids.slice(0, 5));
  const downUntil = Date.now();
  await daemon.restart();
  expect(daemon.supervisorPid()).toBe(supervisor);

  const ends = {
    exits: await waitForEnd(daemon, ids.exits),
    dies: await waitForEnd(daemon, ids.dies),
    slow: await waitForEnd(daemon, ids.slow),
    stubborn: await waitForEnd(daemon, ids.stubborn),
    writes: await waitForEnd(daemon, ids.writes),
  };
  expect(ends.exits).toMatchObject({
    status: 'failed',
    cause: 'exit',
    exit_code: 3,
    stdout: 'up\ndone\n',
    stderr: 'oops\n',
    error: { code: 'exit_nonzero', message: 'task exited with code 3' },
  });
  expect(ends.dies).toMatchObject({ status: 'failed', cause: 'signal', exit_signal: 11, stdout: 'up\n' });
  expect(ends.slow).toMatchObject({
    status: 'failed',
    cause: 'timeout',
    exit_signal: 15,
    error: { code: 'timeout' },
  });
  expect(ends.slow.duration_ms).toBeGreaterThanOrEqual(2500);
  expect(ends.stubborn).toMatchObject({ status: 'cancelled', cause: 'cancelled', exit_signal: 9 });
  expect(ends.writes).toMatchObject({ status: 'success', exit_code: 0, stdout_truncated: false });
  expectWholeOutput(readFileSync(ends.writes.artifacts.stdout_path, 'utf8'));
  Object.values(ends).forEach((end, i) => {
    expect(end.pid).toBe(pids[i]);
    expect(Date.parse(end.finished_at!)).toBeLessThanOrEqual(downUntil);
    expect(Date.parse(end.finished_at!) - Date.parse(end.started_at!)).toBeGreaterThan(0);
    expect(end.usage).toMatchObject({ user_cpu_ms: expect.any(Number), system_cpu_ms: expect.any(Number) });
  });
  expect(await eventTypes(daemon, ids.slow)).toEqual(
    'submitted accepted planned resource_reserved started timeout_triggered resource_released failed'.split(
      ' ',
    ),
  );

  expect(await waitForEnd(daemon, waiting)).toMatchObject({ status: 'success', stdout: 'waited\n' });
  await waitFor(async () => (await eventTypes(daemon, ids.stays)).includes('recovered'), {
    what: 'the event of what runs on',
  });
  const resources = (await http(daemon.url).get('/api/v1/runtime/resources')).body;
  expect(resources.reserved.task_slots).toBe(1);
  await http(daemon.url).post(`/api/v1/tasks/${ids.stays}/kill`);
  expect(await waitForEnd(daemon, ids.stays)).toMatchObject({ status: 'cancelled', pid: pids[5] });
  for (const [name, id] of Object.entries(ids)) {
    const recovered = (await eventTypes(daemon, id)).filter((type) => type === 'recovered').length;
    expect([name, recovered]).toEqual([name, name === 'stays' ? 1 : 0]);
  }
  await settled(daemon);
  expect(await violations(daemon, { acknowledged: [...Object.values(ids), waiting], runs })).toEqual([]);
});

test('kill -9 again and again: no output is lost or doubled, each start tells once that it goes on', async () => {
  const runs = join(tempDir(), 'runs');
  const daemon = await startDaemon();
  const id = await submit(daemon, countedTask(runs, WRITER, { limits: { stdout_max_bytes: 64 << 20 } }));
  await startedPid(daemon, id);
  for (let round = 1; round <= 4; round++) {
    await daemon.kill();
    await daemon.restart();
    await waitFor(
      async () => (await eventTypes(daemon, id)).filter((t) => t === 'recovered').length === round,
    );
  }
  openGate(daemon);
  const end = await waitForEnd(daemon, id);
  expect(end.status).toBe('success');
  const log = readFileSync(end.artifacts.stdout_path, 'utf8');
  expectWholeOutput(log);
  expect(end.stdout_bytes).toBe(log.length);
  await settled(daemon);
  expect(await violations(daemon, { acknowledged: [id], runs })).toEqual([]);
});

test('a kill that is about to be answered ends the task, also when the daemon dies before it answers', async () => {
  const daemon = await startDaemon({ env: { EXECGO_DAEMON_CRASH_AT: 'after_kill_told' } });
  const id = await submit(daemon, script('exec sleep 600'));
  const pid = await startedPid(daemon, id);
  await expect(http(daemon.url).post(`/api/v1/tasks/${id}/kill`)).rejects.toThrow();
  await daemon.exited();
  // No daemon is there that could say it to the supervisor again.
  await waitGone(pid);
  await daemon.restart({ env: {} });
  expect(await waitForEnd(daemon, id)).toMatchObject({ status: 'cancelled', exit_signal: 15 });
});

test('what is killed while the daemon is started again gets its kill', async () => {
  const runs = join(tempDir(), 'runs');
  const daemon = await startDaemon({ env: { EXECGO_DAEMON_CRASH_AT: 'after_kill_commit' } });
  const id = await submit(daemon, countedTask(runs, 'exec sleep 600'));
  await startedPid(daemon, id);
  // The daemon dies between writing the kill down and telling the supervisor.
  await expect(http(daemon.url).post(`/api/v1/tasks/${id}/kill`)).rejects.toThrow();
  await daemon.exited();
  await daemon.restart({ env: {} });
  expect(await waitForEnd(daemon, id)).toMatchObject({
    status: 'cancelled',
    kill_requested: true,
    exit_signal: 15,
  });
  expect((await statusOf(daemon, id)).duration_ms).toBeGreaterThan(0);
  await settled(daemon);
  expect(await violations(daemon, { acknowledged: [id], runs })).toEqual([]);
});
