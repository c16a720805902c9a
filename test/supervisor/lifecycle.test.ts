import { existsSync, mkdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CrashPoint } from '../../src/supervisor/crash-point.js';
import { readJournal, summariseJournal } from '../../src/supervisor/journal/journal.js';
import type { AttemptHistory } from '../../src/supervisor/journal/journal.js';
import { startSupervisor } from '../../src/executor/local/start.js';
import { isAlive } from '../harness/proc.js';
import { tempDir } from '../harness/temp-dir.js';
import { waitFor, waitGone } from '../harness/wait.js';
import { buildSupervisor } from './build.js';
import { SupervisorUnderTest } from './harness.js';

let build: ReturnType<typeof buildSupervisor>;
beforeAll(() => {
  build = buildSupervisor();
});
afterAll(() => build.remove());

function history(supervisor: SupervisorUnderTest, launchId: number): AttemptHistory | undefined {
  const contents = readJournal(join(supervisor.process.dir, 'journal'));
  expect(contents.damage).toBeUndefined();
  return summariseJournal(contents.records).get(launchId);
}

test('its files are for their owner only', async () => {
  const { process } = await SupervisorUnderTest.start(build.entry);
  expect(statSync(process.dir).mode & 0o777).toBe(0o700);
  for (const file of ['secret', 'journal', 'log'])
    expect(statSync(join(process.dir, file)).mode & 0o777).toBe(0o600);
});

test('the journal outlives kill -9', async () => {
  const supervisor = await SupervisorUnderTest.start(build.entry);
  const ended = supervisor.sh('exit 5');
  const acked = supervisor.sh('exit 0');
  const running = supervisor.sh('exec sleep 1000');
  const outcome = await supervisor.outcome(ended);
  await supervisor.outcome(acked);
  const pid = await supervisor.started(running);
  supervisor.send({ type: 'ack', launch_ids: [acked] });
  await waitFor(() => history(supervisor, acked)?.acked);
  process.kill(supervisor.process.pid, 'SIGKILL');
  await waitGone(supervisor.process.pid);
  expect(history(supervisor, ended)).toMatchObject({ outcome, acked: false });
  expect(history(supervisor, running)).toMatchObject({ started: { pid }, acked: false });
  expect(history(supervisor, running)?.outcome).toBeUndefined();
  expect(history(supervisor, 99)).toBeUndefined();
  // Whoever comes next has to end what runs on.
  expect(isAlive(pid)).toBe(true);
});

test.each<[CrashPoint, (keyof AttemptHistory)[]]>([
  ['before_began', []],
  ['after_began', ['began_at_ms']],
  ['after_spawn', ['began_at_ms']],
  ['before_outcome_journal', ['began_at_ms', 'started']],
  ['after_outcome_journal', ['began_at_ms', 'started', 'outcome']],
  ['after_outcome_told', ['began_at_ms', 'started', 'outcome']],
])('a crash at %s leaves in the journal exactly what was done', async (point, expected) => {
  const supervisor = await SupervisorUnderTest.start(build.entry, {
    env: { EXECGO_SUPERVISOR_CRASH_AT: point },
  });
  const id = supervisor.sh('env | grep CRASH; exit 5');
  await waitGone(supervisor.process.pid);
  const known = history(supervisor, id);
  const keys = (['began_at_ms', 'started', 'outcome'] as const).filter((key) => known?.[key] !== undefined);
  expect(keys).toEqual(expected);
  if (known?.outcome !== undefined)
    expect(known.outcome).toMatchObject({ exit_code: 5, stdout: { bytes: 0 } });
});

test('a crash before an acknowledgement is written leaves the outcome', async () => {
  const supervisor = await SupervisorUnderTest.start(build.entry, {
    env: { EXECGO_SUPERVISOR_CRASH_AT: 'before_ack_journal' },
  });
  const id = supervisor.sh('exit 5');
  const outcome = await supervisor.outcome(id);
  supervisor.send({ type: 'ack', launch_ids: [id] });
  await waitGone(supervisor.process.pid);
  expect(history(supervisor, id)).toMatchObject({ outcome, acked: false });
});

describe('it exits', () => {
  test('when it is idle and without a daemon', async () => {
    const supervisor = await SupervisorUnderTest.start(build.entry, { idleExitMs: 1000 });
    const id = supervisor.sh('exit 1');
    await supervisor.outcome(id);
    supervisor.send({ type: 'ack', launch_ids: [id] });
    const socket = join(supervisor.process.dir, 's');
    expect(existsSync(socket)).toBe(true);
    supervisor.connection.close();
    await waitGone(supervisor.process.pid);
    expect(existsSync(socket)).toBe(false);
  });

  test('but not with an unacknowledged outcome, until a daemon has taken it', async () => {
    const supervisor = await SupervisorUnderTest.start(build.entry, { idleExitMs: 1000 });
    const id = supervisor.sh('while [ ! -e gate ]; do sleep 0.01; done; exit 9');
    await supervisor.started(id);
    supervisor.connection.close();
    mkdirSync(join(supervisor.dir, 'work', 'gate'));
    await waitFor(() => history(supervisor, id)?.outcome);
    await supervisor.connect();
    supervisor.send({ type: 'list' });
    expect(await supervisor.outcome(id)).toMatchObject({ exit_code: 9 });
    supervisor.send({ type: 'ack', launch_ids: [id] });
    supervisor.connection.close();
    await waitGone(supervisor.process.pid);
  });

  test('when it drains, after the last acknowledgement', async () => {
    const supervisor = await SupervisorUnderTest.start(build.entry);
    const id = supervisor.sh('exec sleep 1000');
    await supervisor.started(id);
    supervisor.send({ type: 'drain' });
    const refused = supervisor.sh('exit 0');
    expect(await supervisor.message('refused')).toMatchObject({ launch_id: refused });
    supervisor.send({ type: 'kill', launch_id: id });
    await supervisor.outcome(id);
    expect(isAlive(supervisor.process.pid)).toBe(true);
    supervisor.send({ type: 'ack', launch_ids: [id] });
    await waitGone(supervisor.process.pid);
  });

  test('on SIGTERM only when it has nothing to do', async () => {
    const supervisor = await SupervisorUnderTest.start(build.entry);
    const { pid } = supervisor.process;
    const id = supervisor.sh('exec sleep 1000');
    const task = await supervisor.started(id);
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.kill(pid, signal);
    supervisor.send({ type: 'list' });
    await supervisor.message('listed');
    expect(isAlive(task)).toBe(true);
    supervisor.send({ type: 'kill', launch_id: id });
    await supervisor.outcome(id);
    supervisor.send({ type: 'ack', launch_ids: [id] });
    supervisor.send({ type: 'list' });
    await waitFor(() => supervisor.messages.filter((m) => m.type === 'listed').length === 2);
    process.kill(pid, 'SIGTERM');
    await waitGone(pid);
  });

  test('as soon as it has nothing to do, once it was sent SIGTERM and its daemon is gone', async () => {
    const supervisor = await SupervisorUnderTest.start(build.entry, { idleExitMs: 3_600_000 });
    const id = supervisor.sh('exec sleep 1000');
    await supervisor.started(id);
    process.kill(supervisor.process.pid, 'SIGTERM');
    supervisor.send({ type: 'kill', launch_id: id });
    await supervisor.outcome(id);
    supervisor.send({ type: 'ack', launch_ids: [id] });
    supervisor.connection.close();
    await waitGone(supervisor.process.pid);
  });
});

test('without a journal nothing is launched', async () => {
  const root = tempDir();
  const dir = join(root, 'full');
  mkdirSync(dir);
  symlinkSync('/dev/full', join(dir, 'journal'));
  const supervisor = await SupervisorUnderTest.start(build.entry, { root, incarnation: 'full' });
  const id = supervisor.sh('echo ran > ran');
  const { reason } = await supervisor.message('refused', (message) => message.launch_id === id);
  expect(reason).toMatch(/^cannot write the journal: .*ENOSPC/);
  expect(existsSync(join(supervisor.dir, 'work', 'ran'))).toBe(false);
});

test('a start that fails says why and leaves no process', async () => {
  const start = (options: object) =>
    startSupervisor({ root: tempDir(), version: 'test', entry: build.entry, ...options });
  await expect(start({ entry: '/no/such/entry.js' })).rejects.toThrow(/ended while it started:[^]*entry\.js/);
  await expect(start({ launcher: 'carrier-pigeon' })).rejects.toThrow(/--launcher must be one of/);
  await expect(start({ idleExitMs: -1 })).rejects.toThrow(/--idle-exit-ms/);
});
