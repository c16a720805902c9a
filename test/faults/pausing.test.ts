import { expect, test } from 'vitest';
import type { TaskView } from '../../src/task/view.js';
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
} from '../harness/index.js';
import { join } from 'node:path';
import { existsSync, writeFileSync } from 'node:fs';
import { killHard, processesGone, statusOf } from './support.js';

const COUNTING = 'while :; do echo on; sleep 0.02; done';
const turn = (daemon: { url: string }, id: string, what: 'pause' | 'resume' | 'kill', query = '') =>
  http(daemon.url).post<TaskView>(`/api/v1/tasks/${id}/${what}${query}`);
const bytes = async (daemon: { url: string }, id: string) => (await statusOf(daemon, id)).stdout_bytes;

async function getsOn(daemon: Daemon, id: string): Promise<void> {
  const before = await bytes(daemon, id);
  await waitFor(async () => (await bytes(daemon, id)) > before, { what: 'more output' });
}

async function counting(daemon: Daemon, more: object = {}): Promise<string> {
  const id = await submit(daemon, script(COUNTING, more));
  await getsOn(daemon, id);
  return id;
}

/** Sees that a task prints nothing while another one goes on, once what was in its pipe before is read. */
async function expectStill(daemon: Daemon, id: string, clock: string): Promise<void> {
  await getsOn(daemon, clock);
  const before = await bytes(daemon, id);
  for (let i = 0; i < 5; i++) await getsOn(daemon, clock);
  expect(await bytes(daemon, id)).toBe(before);
  expect(await statusOf(daemon, id)).toMatchObject({ status: 'running', paused: true });
}

test.each([
  ['in a cgroup', []],
  ['without one', ['--disable-cgroup']],
])(
  '%s: a paused task stays paused when its daemon stops or dies, and goes on under the next one',
  async (_, flags) => {
    const daemon = await startDaemon({ flags });
    const limits = { wall_time_ms: 600_000 };
    const [id, clock] = [await counting(daemon, { limits }), await counting(daemon)];
    const { paused_at } = (await turn(daemon, id, 'pause')).body;
    await daemon.stop();
    await daemon.restart();
    await expectStill(daemon, id, clock);
    await daemon.kill();
    await daemon.restart();
    await expectStill(daemon, id, clock);
    expect(await statusOf(daemon, id)).toMatchObject({ paused_at });
    await turn(daemon, id, 'resume');
    await getsOn(daemon, id);
    await turn(daemon, id, 'pause');
    await daemon.kill();
    await daemon.restart();
    expect((await turn(daemon, id, 'kill', '?wait_ms=30000')).body).toMatchObject({ exit_signal: 15 });
    expect((await eventTypes(daemon, id)).filter((type) => type !== 'recovered').slice(-7)).toEqual([
      ...['started', 'paused', 'resumed', 'paused', 'kill_requested', 'resource_released', 'cancelled'],
    ]);
  },
);

test('a daemon that dies between writing down and telling has its word kept by the next one', async () => {
  const daemon = await startDaemon({ env: { EXECGO_DAEMON_CRASH_AT: 'after_pause_commit' } });
  const [id, clock] = [await counting(daemon), await counting(daemon)];
  await expect(turn(daemon, id, 'pause')).rejects.toThrow();
  await daemon.exited();
  await daemon.restart({ env: { EXECGO_DAEMON_CRASH_AT: 'after_resume_commit' } });
  // The supervisor is told as soon as it is heard of.
  const last = async () => {
    const before = await bytes(daemon, id);
    await getsOn(daemon, clock);
    await getsOn(daemon, clock);
    return (await bytes(daemon, id)) === before;
  };
  await waitFor(last, { what: 'the pause' });
  await expectStill(daemon, id, clock);
  await expect(turn(daemon, id, 'resume')).rejects.toThrow();
  await daemon.exited();
  await daemon.restart({ env: {} });
  await getsOn(daemon, id);
  expect((await statusOf(daemon, id)).paused).toBeUndefined();
});

test('one that could not write it down has not paused', async () => {
  const armed = join(tempDir(), 'armed');
  writeFileSync(armed, '');
  const daemon = await startDaemon({ env: { EXECGO_DAEMON_CRASH_AT: `before_pause_commit@${armed}` } });
  const id = await counting(daemon);
  await expect(turn(daemon, id, 'pause')).rejects.toThrow();
  await daemon.exited();
  expect(existsSync(armed)).toBe(false);
  await daemon.restart();
  await getsOn(daemon, id);
  expect((await statusOf(daemon, id)).paused).toBeUndefined();
  expect((await turn(daemon, id, 'pause')).body).toMatchObject({ paused: true });
});

test.each([
  ['in a cgroup', () => []],
  ['without one', () => ['--disable-cgroup']],
])('%s: the death of its supervisor ends a paused task as any other', async (_, flags) => {
  const daemon = await startDaemon({ flags: flags() });
  const id = await counting(daemon);
  await turn(daemon, id, 'pause');
  await killHard(daemon.supervisorPid());
  const end = await waitForEnd(daemon, id);
  expect(end).toMatchObject({ status: 'failed', cause: 'lost' });
  expect(end.paused).toBeUndefined();
  await processesGone(id);
});

test('a drain does not wait for what is paused, which goes on later', async () => {
  const daemon = await startDaemon({ flags: ['--drain'] });
  const [id, other] = [await counting(daemon), await counting(daemon)];
  await turn(daemon, id, 'pause');
  const stopped = daemon.stop();
  await waitFor(() => daemon.logs().some(({ msg }) => msg === 'waiting for running tasks'));
  // Also what is paused while it is waited for.
  await turn(daemon, other, 'pause');
  await stopped;
  await daemon.restart({ flags: [] });
  for (const each of [id, other]) {
    await turn(daemon, each, 'resume');
    await getsOn(daemon, each);
  }
});

test('what an older supervisor runs is not paused, and that is said; a kill works all the same', async () => {
  const daemon = await startDaemon({ env: { EXECGO_TEST_LAUNCH_VERSION: '3' } });
  const id = await counting(daemon);
  await daemon.kill();
  await daemon.restart({ env: {} });
  const refused = await http(daemon.url).post(`/api/v1/tasks/${id}/pause`);
  expect([refused.status, refused.body.error]).toEqual([
    409,
    {
      code: 'conflict',
      message: `task ${id} was started by an earlier version of execgo, which cannot pause: only what was started since can be paused`,
    },
  ]);
  expect((await turn(daemon, id, 'resume')).status).toBe(200);
  await getsOn(daemon, id);
  expect(await eventTypes(daemon, id)).not.toContain('paused');
  const fresh = await counting(daemon);
  expect((await turn(daemon, fresh, 'pause')).body).toMatchObject({ paused: true });
  for (const each of [id, fresh])
    expect((await turn(daemon, each, 'kill', '?wait_ms=30000')).body).toMatchObject({ status: 'cancelled' });
});

test('a supervisor that does not answer is told once it does', async () => {
  const daemon = await startDaemon();
  const [id, clock] = [await counting(daemon), await counting(daemon)];
  const supervisor = daemon.supervisorPid();
  process.kill(supervisor, 'SIGSTOP');
  expect((await turn(daemon, id, 'pause')).body).toMatchObject({ status: 'running', paused: true });
  process.kill(supervisor, 'SIGCONT');
  const isStill = async () => {
    const before = await bytes(daemon, id);
    await getsOn(daemon, clock);
    await getsOn(daemon, clock);
    return (await bytes(daemon, id)) === before;
  };
  await waitFor(isStill, { what: 'the pause' });
  await expectStill(daemon, id, clock);
});
