import { execFileSync } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ScheduleView } from '../../src/task/schedules.js';
import type { TaskView } from '../../src/task/view.js';
import {
  command,
  type Daemon,
  eventTypes,
  http,
  script,
  startDaemon,
  submit,
  submitAndWait,
  tempDir,
  waitFor,
  waitForEnd,
} from '../harness/index.js';

const DAY_MS = 86_400_000;

/** A wall clock of its own for a daemon and its supervisors; what measures durations is left alone. */
function settableClock() {
  const dir = tempDir();
  const offset = join(dir, 'offset');
  const set = (days: number) => {
    writeFileSync(`${offset}.new`, days < 0 ? `${days}d\n` : `+${days}d\n`);
    renameSync(`${offset}.new`, offset);
  };
  set(0);
  const faked = {
    LD_PRELOAD: execFileSync('faketime', ['-m', '-f', '+0', 'printenv', 'LD_PRELOAD'], {
      encoding: 'utf8',
    }).trim(),
    FAKETIME_TIMESTAMP_FILE: offset,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
  // A supervisor gets next to nothing of the daemon's environment: it is started through this.
  const node = join(dir, 'node');
  const variables = Object.entries(faked).map(([name, value]) => `${name}='${value}'`);
  writeFileSync(node, `#!/bin/sh\nexport ${variables.join(' ')}\nexec '${process.execPath}' "$@"\n`, {
    mode: 0o755,
  });
  const preload = join(dir, 'preload.cjs');
  writeFileSync(preload, `process.execPath = ${JSON.stringify(node)};\n`);
  return { set, env: { ...faked, NODE_OPTIONS: `--require=${preload}` } };
}

const status = async (daemon: Daemon, id: string, waitMs = 0): Promise<TaskView> => {
  const answer = await http(daemon.url).get<TaskView>(`/api/v1/tasks/${id}?wait_ms=${waitMs}`);
  expect(answer.status).toBe(200);
  return answer.body;
};

const started = (daemon: Daemon, id: string) =>
  waitFor(async () => {
    const task = await status(daemon, id);
    return task.started_at !== undefined && task;
  });

const days = (ms: number) => Math.round(ms / DAY_MS) + 0;

/** The clock of the daemon against the one of the test, in whole days. */
const daysOff = (task: TaskView) => days(Date.parse(task.created_at) - Date.now());

for (const [first, then] of [
  [1, -1],
  [-1, 1],
] as const)
  test(`the clock jumps by ${first} day, then to ${then} day: only what is dated changes`, async () => {
    const clock = settableClock();
    const flags = ['--max-running-tasks', '3', '--capacity-pids', '100', '--starvation-ms', '600000'];
    const daemon = await startDaemon({ env: clock.env, flags });
    const flag = join(tempDir(), 'flag');
    const began = performance.now();
    const elapsed = () => performance.now() - began;

    const untilFlag = script(`while [ ! -e ${flag} ]; do sleep 0.02; done`);
    const across = await submit(daemon, { ...untilFlag, limits: { pids_max: 60, wall_time_ms: 600_000 } });
    const late = await submit(daemon, command('sleep', ['1000'], { limits: { wall_time_ms: 4000 } }));
    for (const id of [across, late]) expect(daysOff(await started(daemon, id))).toBe(0);
    const waiting = await submit(
      daemon,
      command('/bin/true', [], { limits: { pids_max: 60, queue_timeout_ms: 600_000 } }),
    );
    const impatient = await submit(
      daemon,
      command('/bin/true', [], { limits: { pids_max: 60, queue_timeout_ms: 3000 } }),
    );

    const startedWaiting = performance.now();
    const wait = status(daemon, across, 1000).then(() => performance.now() - startedWaiting);
    clock.set(first);
    // Had the one that waits become a day older, room would be held for it.
    const small = await submitAndWait(daemon, command('/bin/true', [], { limits: { pids_max: 10 } }));
    expect([small.status, daysOff(small)]).toEqual(['success', first]);
    // A timer of the C library and one of Node may round differently.
    expect(await wait).toBeGreaterThan(990);
    expect((await status(daemon, across)).duration_ms).toBeLessThanOrEqual(elapsed());
    expect((await status(daemon, late)).status).toBe('running');
    for (const id of [waiting, impatient]) expect((await status(daemon, id)).status).toBe('accepted');

    clock.set(then);
    const again = await submitAndWait(daemon, command('/bin/true', [], { limits: { pids_max: 10 } }));
    expect([again.status, daysOff(again)]).toEqual(['success', then]);
    expect(again.duration_ms).toBeLessThanOrEqual(elapsed());
    const timedOut = await waitForEnd(daemon, late);
    expect(timedOut).toMatchObject({ status: 'failed', cause: 'timeout' });
    expect(timedOut.duration_ms).toBeGreaterThanOrEqual(3990);
    expect(timedOut.duration_ms).toBeLessThanOrEqual(elapsed());
    expect(await waitForEnd(daemon, impatient)).toMatchObject({ status: 'failed', cause: 'queue_timeout' });
    expect(elapsed()).toBeGreaterThan(2990);
    expect((await status(daemon, waiting)).status).toBe('accepted');

    writeFileSync(flag, '');
    const ended = await waitForEnd(daemon, across);
    expect(ended).toMatchObject({ status: 'success', cause: 'exit' });
    expect(ended.duration_ms).toBeGreaterThanOrEqual(3900);
    expect(ended.duration_ms).toBeLessThanOrEqual(elapsed());
    expect(days(Date.parse(ended.finished_at!) - Date.parse(ended.started_at!))).toBe(then);
    expect((await eventTypes(daemon, across)).slice(-2)).toEqual(['resource_released', 'finished']);
    expect(await waitForEnd(daemon, waiting)).toMatchObject({ status: 'success' });
  });

test('a start time is one of the wall clock, wherever that is set to', async () => {
  const clock = settableClock();
  const daemon = await startDaemon({ env: clock.env, flags: ['--max-running-tasks', '1'] });
  const start_at = new Date(Date.now() + 2 * DAY_MS).toISOString();
  const timed = await submit(daemon, command('/bin/true', [], { policy: { start_at } }));
  const held = await submit(daemon, command('/bin/true', [], { policy: { hold: true } }));
  for (const day of [1, -1]) {
    clock.set(day);
    // The clock is looked at once a second, and a task that comes meanwhile starts as ever.
    await submitAndWait(daemon, command('sleep', ['1.5']));
    expect(await status(daemon, timed)).toMatchObject({
      status: 'accepted',
      waiting: { reason: 'start_at' },
    });
  }
  clock.set(3);
  expect(await waitForEnd(daemon, timed)).toMatchObject({ status: 'success' });
  expect(await status(daemon, held)).toMatchObject({ waiting: { reason: 'held' } });
  // One that was submitted in the future of a clock that was set back has no start time, and waits for nothing.
  clock.set(-3);
  expect(await submitAndWait(daemon, command('/bin/true'))).toMatchObject({ status: 'success' });
});

test('a clock that is set repeats no due time of a schedule, and leaves out those that it passes', async () => {
  const clock = settableClock();
  const daemon = await startDaemon({ env: clock.env });
  const path = '/api/v1/schedules/daily';
  const shown = async () => (await http(daemon.url).get<ScheduleView>(path)).body;
  const made = await http(daemon.url).post('/api/v1/schedules', {
    ...{ name: 'daily', cron: '0 12 * * *', catch_up: 'last', task: command('/bin/true') },
  });
  const [first = ''] = made.body.next;
  const until = async (count: number) => {
    await waitFor(async () => (await shown()).runs.length === count, { what: `${count} runs` });
    return (await shown()).runs;
  };
  clock.set(1);
  expect(await until(1)).toMatchObject([{ due_at: first, outcome: 'submitted' }]);
  // The next one is where it was: a day further, by a clock that has to come there first.
  const { next } = await shown();
  for (const day of [-1, 0, 1]) {
    clock.set(day);
    await submitAndWait(daemon, command('sleep', ['1.5']));
    expect(await shown()).toMatchObject({ next, runs: [{ due_at: first }] });
  }
  clock.set(4);
  const runs = await until(3);
  expect(runs.map(({ outcome, count }) => [outcome, count])).toEqual([
    ['submitted', undefined],
    ['missed', 2],
    ['submitted', undefined],
  ]);
  expect(runs.map(({ due_at }) => days(Date.parse(due_at) - Date.parse(first)))).toEqual([3, 2, 0]);
  await daemon.restart();
  expect((await shown()).runs).toHaveLength(3);
});

test('a restart on a clock that was set back gives nobody more than the limit', async () => {
  const clock = settableClock();
  const daemon = await startDaemon({ env: clock.env, flags: ['--max-running-tasks', '1'] });
  const running = await submit(daemon, command('sleep', ['1000']));
  const before = await started(daemon, running);
  const waiting = await submit(daemon, command('/bin/true', [], { limits: { queue_timeout_ms: 2000 } }));
  clock.set(-1);
  await daemon.restart();
  expect(await waitForEnd(daemon, waiting)).toMatchObject({ status: 'failed', cause: 'queue_timeout' });
  const now = await status(daemon, running);
  expect(now).toMatchObject({ status: 'running', started_at: before.started_at, pid: before.pid });
  expect(now.duration_ms).toBeGreaterThanOrEqual(0);
  await http(daemon.url).post(`/api/v1/tasks/${running}/kill?grace_ms=0`);
  const ended = await waitForEnd(daemon, running);
  expect(ended.status).toBe('cancelled');
  expect(ended.duration_ms).toBeGreaterThanOrEqual(1990);
  expect(ended.duration_ms).toBeLessThan(DAY_MS);
});
