import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { descendantsOf, standsStill } from '../../src/sandbox/process/process-identity.js';
import { cgroupName, removeCgroup } from '../harness/cgroups.js';
import { isAlive, processesOf } from '../harness/proc.js';
import { waitFor } from '../harness/wait.js';
import { buildSupervisor } from './build.js';
import { SupervisorUnderTest } from './harness.js';

const V2_ROOT = '/sys/fs/cgroup/unified';

let build: ReturnType<typeof buildSupervisor>;
beforeAll(() => {
  build = buildSupervisor();
});
afterAll(() => build.remove());

/**
 * Sends the message, and waits for its answer, which is newer than all before it. What was not told of as started is not
 * paused, and that is not answered: what the program writes may come earlier.
 */
async function turn(supervisor: SupervisorUnderTest, id: number, type: 'pause' | 'resume'): Promise<number> {
  await supervisor.started(id);
  const answer = `${type}d` as const;
  const seen = supervisor.messages.length;
  supervisor.send({ type, launch_id: id });
  const { at_ms } = await waitFor(
    () =>
      supervisor.messages
        .slice(seen)
        .flatMap((m) => (m.type === answer && m.launch_id === id ? [m] : []))
        .at(0),
    { what: answer },
  );
  return at_ms;
}

const stillAll = (supervisor: SupervisorUnderTest, id: number) =>
  processesOf(supervisor.tokens.get(id)!).every(({ pid }) => standsStill(pid, true));

describe.each(['libc', 'execa'] as const)('with the %s launcher and without a cgroup', (launcher) => {
  const start = () => SupervisorUnderTest.start(build.entry, { launcher });

  test('everything is stopped that a task forks meanwhile', async () => {
    const supervisor = await start();
    const forks = 'while :; do (exec sleep 0.005) & (exec sleep 0.02); done';
    const id = supervisor.sh(`for i in 1 2 3; do sh -c '${forks}' & done; echo up > up; ${forks}`);
    await supervisor.written('up');
    for (let round = 0; round < 5; round++) {
      await turn(supervisor, id, 'pause');
      expect(stillAll(supervisor, id)).toBe(true);
      const before = processesOf(supervisor.tokens.get(id)!).map(({ pid }) => pid);
      await turn(supervisor, id, 'pause');
      expect(processesOf(supervisor.tokens.get(id)!).map(({ pid }) => pid)).toEqual(before);
      await turn(supervisor, id, 'resume');
      await waitFor(() => !stillAll(supervisor, id));
    }
    supervisor.send({ type: 'kill', launch_id: id, grace_ms: 0 });
    expect(await supervisor.outcome(id)).toMatchObject({ signal: 9, first_stop: 'kill' });
  });

  test('nothing gets away that goes on in a new process all the time', async () => {
    const supervisor = await start();
    const program = `import os, time
end = time.time() + 30
for _ in range(2):
    if os.fork() == 0:
        while time.time() < end:
            if os.fork() != 0: os._exit(0)
        os._exit(0)
open('up', 'w').write('up')
time.sleep(30)
`;
    const id = supervisor.launch(['python3', '-c', program]);
    await supervisor.written('up');
    for (let round = 0; round < 3; round++) {
      await turn(supervisor, id, 'pause');
      const still = processesOf(supervisor.tokens.get(id)!).map(({ pid }) => pid);
      expect(still.length).toBeGreaterThanOrEqual(3);
      expect(stillAll(supervisor, id)).toBe(true);
      await turn(supervisor, id, 'pause');
      expect(processesOf(supervisor.tokens.get(id)!).map(({ pid }) => pid)).toEqual(still);
      await turn(supervisor, id, 'resume');
      await waitFor(() => !stillAll(supervisor, id));
    }
    supervisor.send({ type: 'kill', launch_id: id, grace_ms: 0 });
    expect(await supervisor.outcome(id)).toMatchObject({ signal: 9, first_stop: 'kill' });
  });

  test('who is sent CONT is stopped again', async () => {
    const supervisor = await start();
    const id = supervisor.sh('echo up > up; while :; do sleep 0.01; done');
    const pid = await supervisor.started(id);
    await supervisor.written('up');
    await turn(supervisor, id, 'pause');
    for (let time = 0; time < 3; time++) {
      process.kill(pid, 'SIGCONT');
      await waitFor(() => standsStill(pid, true), { what: 'another stop' });
    }
    await turn(supervisor, id, 'resume');
    supervisor.send({ type: 'kill', launch_id: id });
    expect(await supervisor.outcome(id)).toMatchObject({ signal: 15 });
  });

  test('what the task has stopped itself is left to it', async () => {
    const supervisor = await start();
    const id = supervisor.sh(
      'sleep 1000 & echo $! > child; kill -STOP $!; echo up > up; while [ ! -e go ]; do sleep 0.01; done; kill -CONT $!; wait',
    );
    await supervisor.started(id);
    await supervisor.written('up');
    const child = Number(await supervisor.written('child'));
    await waitFor(() => standsStill(child));
    await turn(supervisor, id, 'pause');
    await turn(supervisor, id, 'resume');
    await waitFor(() => !stillAll(supervisor, id));
    expect(standsStill(child)).toBe(true);
    mkdirSync(join(supervisor.dir, 'work/go'));
    await waitFor(() => !standsStill(child));
    supervisor.send({ type: 'kill', launch_id: id });
    await supervisor.outcome(id);
  });

  test('who waits for a child of vfork that is stopped, too, is paused', async () => {
    const supervisor = await start();
    // clone(2) with CLONE_VFORK and a memory of its own, by its number on each machine.
    const program = `import ctypes, os, platform, time
number = {'x86_64': 56, 'aarch64': 220}[platform.machine()]
if ctypes.CDLL(None).syscall(number, 0x4000 | 17, 0, 0, 0, 0) == 0:
    open('up', 'w').write('up')
    while not os.path.exists('go'): time.sleep(0.01)
    os._exit(0)
os.wait()
`;
    const id = supervisor.launch(['python3', '-c', program]);
    await supervisor.started(id);
    await supervisor.written('up');
    await turn(supervisor, id, 'pause');
    expect(stillAll(supervisor, id)).toBe(true);
    await turn(supervisor, id, 'resume');
    mkdirSync(join(supervisor.dir, 'work/go'));
    expect(await supervisor.outcome(id)).toMatchObject({ exit_code: 0 });
  });

  test('of what has not begun or is being ended nothing is paused, and what is told says so', async () => {
    const supervisor = await start();
    supervisor.send({ type: 'pause', launch_id: 99 });
    const id = supervisor.sh('trap "echo term > term" TERM; echo up > up; while :; do sleep 0.01; done');
    // It comes before there is a process.
    supervisor.send({ type: 'pause', launch_id: id });
    await supervisor.started(id);
    await supervisor.written('up');
    await waitFor(() => !stillAll(supervisor, id), { what: 'something that runs' });
    const since = await turn(supervisor, id, 'resume');
    const paused = await turn(supervisor, id, 'pause');
    expect(paused).toBeGreaterThan(since);
    expect(await turn(supervisor, id, 'pause')).toBe(paused);
    const seen = supervisor.messages.length;
    supervisor.send({ type: 'list' });
    const running = await waitFor(() => supervisor.messages.slice(seen).find((m) => m.type === 'running'));
    expect(running.launches).toMatchObject([{ launch_id: id, paused_at_ms: paused }]);
    supervisor.send({ type: 'kill', launch_id: id, grace_ms: 60_000 });
    await supervisor.written('term');
    supervisor.send({ type: 'pause', launch_id: id });
    supervisor.send({ type: 'kill', launch_id: id, grace_ms: 0 });
    expect(await supervisor.outcome(id)).toMatchObject({ first_stop: 'kill' });
    const told = supervisor.messages.filter((m) => m.type === 'paused');
    expect(told.map(({ at_ms }) => at_ms)).toEqual([paused, paused]);
    expect(supervisor.log()).not.toMatch(/not dealt with/);
  });
});

test('what is in a frozen cgroup goes on for no signal, and dies of KILL', async () => {
  const parent = join(V2_ROOT, cgroupName());
  mkdirSync(parent);
  onTestFinished(() => removeCgroup(parent));
  const supervisor = await SupervisorUnderTest.start(build.entry, { launcher: 'libc' });
  const path = join(parent, 'task');
  const cgroup = { track: { path, settings: [] }, kill_file: true, freezer: 'v2' as const, limits: [] };
  const id = supervisor.sh('echo up > up; while :; do sh -c "echo on"; sleep 0.01; done', { cgroup });
  const pid = await supervisor.started(id);
  await supervisor.written('up');
  await waitFor(() => readFileSync(join(path, 'cgroup.procs'), 'utf8').includes(String(pid)));
  await turn(supervisor, id, 'pause');
  expect(readFileSync(join(path, 'cgroup.events'), 'utf8')).toMatch(/^frozen 1$/m);
  const size = () => readFileSync(supervisor.path(id, 'stdout.log')).length;
  const aWhile = () => supervisor.outcome(supervisor.sh('for i in 1 2 3 4 5; do sleep 0.02; done'));
  // What was in the pipe before is still read.
  await aWhile();
  const before = size();
  for (const each of [pid, ...descendantsOf(pid)]) process.kill(each, 'SIGCONT');
  await aWhile();
  expect(size()).toBe(before);
  await turn(supervisor, id, 'resume');
  await waitFor(() => size() > before);
  await turn(supervisor, id, 'pause');
  supervisor.send({ type: 'kill', launch_id: id, grace_ms: 0 });
  expect(await supervisor.outcome(id)).toMatchObject({ signal: 9, first_stop: 'kill' });
  expect(isAlive(pid)).toBe(false);
  await waitFor(() => !existsSync(path), { what: 'the removal of the cgroup' });
});
