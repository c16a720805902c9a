import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { CrashPoint } from '../../src/executor/crash-point.js';
import {
  type Daemon,
  execgo,
  http,
  script,
  startDaemon,
  submit,
  tempDir,
  waitFor,
  waitForEnd,
} from '../harness/index.js';
import { countedTask, settled, violations } from './invariants.js';
import { killHard, startedPid, statusOf, withDatabase } from './support.js';

const retry = (more: object) => ({ policy: { retry: { max_attempts: 3, ...more } } });
const HOUR_MS = 3_600_000;

async function backingOff(daemon: Daemon, id: string) {
  return waitFor(
    async () => {
      const { waiting } = await statusOf(daemon, id);
      return waiting?.reason === 'retry_backoff' && waiting;
    },
    { what: 'the back-off' },
  );
}

/** When the daemon dies, and in which attempt. */
const DEATHS: [point: CrashPoint, attempt: 1 | 2][] = [
  ['before_dispatch_commit', 1],
  ['before_retry_commit', 1],
  ['after_retry_commit', 1],
  ['before_dispatch_commit', 2],
  ['after_dispatch_commit', 2],
  ['before_started_commit', 2],
  ['after_started_commit', 2],
  ['before_retry_commit', 2],
  ['after_retry_commit', 2],
  ['after_result_written', 2],
  ['after_end_commit', 2],
];

test.each(DEATHS)('the daemon dies at %s of attempt %i: each attempt runs once', async (point, attempt) => {
  const armed = join(tempDir(), 'armed');
  const runs = join(tempDir(), 'runs');
  const daemon = await startDaemon({
    env: { EXECGO_DAEMON_CRASH_AT: `${point}@${armed}` },
    flags: ['--max-running-tasks', '1'],
  });
  const isLast = point === 'after_result_written' || point === 'after_end_commit';
  // Something holds the only slot, so that the first attempt is dispatched from the queue.
  const gate = join(tempDir(), 'gate');
  const first = await submit(daemon, countedTask(runs, `until [ -e ${gate} ]; do sleep 0.02; done`));
  const body = isLast ? 'exit $((EXECGO_ATTEMPT == 1))' : 'exit $((EXECGO_ATTEMPT < 3))';
  const id = await submit(daemon, countedTask(runs, body, retry({ backoff_ms: 1500, factor: 1 })));
  if (attempt === 1) writeFileSync(armed, '');
  writeFileSync(gate, '');
  if (attempt === 2) {
    await backingOff(daemon, id);
    writeFileSync(armed, '');
  }
  expect(await daemon.exited()).toEqual({ code: null, signal: 'SIGKILL' });
  expect(existsSync(armed)).toBe(false);
  await daemon.restart({ env: {} });
  const task = await waitForEnd(daemon, id);
  const failed = { cause: 'exit', exit_code: 1 };
  const attempts = isLast ? [failed, { exit_code: 0 }] : [failed, failed, { exit_code: 0 }];
  expect(task).toMatchObject({ status: 'success', attempts });
  await settled(daemon);
  expect(await violations(daemon, { acknowledged: [first, id], runs })).toEqual([]);
});

test('the back-off goes on over a daemon that is killed, and one that stops; a kill holds over both', async () => {
  const daemon = await startDaemon();
  const request = script('exit 1', retry({ backoff_ms: HOUR_MS }));
  const [id, other] = [await submit(daemon, request), await submit(daemon, request)];
  const before = await backingOff(daemon, id);
  await backingOff(daemon, other);
  await daemon.kill();
  await daemon.restart();
  await daemon.stop();
  await daemon.restart();
  const after = await backingOff(daemon, id);
  expect(after).toMatchObject({ since: before.since, detail: before.detail });
  expect(Math.abs(Date.parse(after.until!) - Date.parse(before.until!))).toBeLessThan(HOUR_MS / 2);
  await http(daemon.url).post(`/api/v1/tasks/${id}/kill`);
  await daemon.kill();
  await daemon.restart();
  expect(await statusOf(daemon, id)).toMatchObject({ status: 'cancelled', attempts: [{ attempt: 1 }] });
  expect(await statusOf(daemon, other)).toMatchObject({ status: 'accepted', attempt: 1 });
});

test('an attempt that is lost is followed by another only where that is named', async () => {
  const daemon = await startDaemon();
  const runs = join(tempDir(), 'runs');
  const body = '[ "$EXECGO_ATTEMPT" = 2 ] || exec sleep 600';
  const [named, unnamed] = [
    await submit(daemon, countedTask(runs, body, retry({ backoff_ms: 0, on: ['exit', 'lost'] }))),
    await submit(daemon, countedTask(runs, body, retry({ backoff_ms: 0 }))),
  ];
  for (const id of [named, unnamed]) await startedPid(daemon, id);
  await killHard(daemon.supervisorPid());
  expect(await waitForEnd(daemon, unnamed)).toMatchObject({ status: 'failed', cause: 'lost', attempt: 1 });
  expect(await waitForEnd(daemon, named)).toMatchObject({
    status: 'success',
    attempts: [
      { cause: 'lost', error: { message: 'recovery_lost' } },
      { cause: 'exit', exit_code: 0 },
    ],
  });
  await settled(daemon);
  expect(await violations(daemon, { acknowledged: [named, unnamed], runs })).toEqual([]);
});

test('what timed out before does not decide about an attempt that is killed', async () => {
  const daemon = await startDaemon({ env: { EXECGO_DAEMON_CRASH_AT: 'after_kill_told' } });
  // It takes no notice of TERM, so that the next daemon finds it still running.
  const body =
    '[ "$EXECGO_ATTEMPT" = 1 ] && exec sleep 600; trap "" TERM; echo up; while :; do sleep 0.02; done';
  const id = await submit(
    daemon,
    script(body, { ...retry({ backoff_ms: 0 }), limits: { wall_time_ms: 1500 } }),
  );
  await waitFor(async () => (await statusOf(daemon, id)).stdout === 'up\n', { what: 'the second attempt' });
  await http(daemon.url)
    .post(`/api/v1/tasks/${id}/kill?grace_ms=60000`)
    .catch(() => undefined);
  expect(await daemon.exited()).toEqual({ code: null, signal: 'SIGKILL' });
  await daemon.restart({ env: {} });
  await http(daemon.url).post(`/api/v1/tasks/${id}/kill?grace_ms=0`);
  expect(await waitForEnd(daemon, id)).toMatchObject({ status: 'cancelled', attempt: 2 });
});

test('attempts are in a backup, doctor finds nothing wrong with them, and they go with their task', async () => {
  const daemon = await startDaemon();
  const id = await submit(daemon, script('echo out; exit 1', retry({ backoff_ms: 0 })));
  await waitForEnd(daemon, id);
  const target = tempDir();
  const made = await execgo(['backup', '--data-dir', daemon.dataDir, join(target, 'runtime.db')]);
  expect(made.code).toBe(0);
  const copied = withDatabase(target, (db) => db.prepare('SELECT attempt, exit_code FROM attempts').all());
  expect(copied).toEqual([1, 2].map((attempt) => ({ attempt, exit_code: 1 })));
  await daemon.stop();
  const doctor = await execgo(['doctor', '--json', '--data-dir', daemon.dataDir]);
  expect(doctor.stdout).not.toContain(id);
  const attempts = () =>
    withDatabase(daemon.dataDir, (db) => db.prepare('SELECT attempt FROM attempts').pluck().all());
  expect(attempts()).toEqual([1, 2]);
  await daemon.restart();
  expect((await http(daemon.url).delete(`/api/v1/tasks/${id}`)).status).toBe(200);
  expect(attempts()).toEqual([]);
  expect(existsSync(join(daemon.dataDir, 'tasks', id))).toBe(false);
});
