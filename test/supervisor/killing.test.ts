import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { cgroupName, removeCgroup } from '../harness/cgroups.js';
import { isAlive, processesOf } from '../harness/proc.js';
import { waitFor, waitGone } from '../harness/wait.js';
import { buildSupervisor } from './build.js';
import { SupervisorUnderTest } from './harness.js';
import { rlimits } from '../sandbox/rlimits.js';

const V2_ROOT = '/sys/fs/cgroup/unified';

let build: ReturnType<typeof buildSupervisor>;
beforeAll(() => {
  build = buildSupervisor();
});
afterAll(() => build.remove());

/** Everything it starts is gone, and said so. */
async function expectNothingLeft(supervisor: SupervisorUnderTest, launchId: number): Promise<void> {
  expect((await supervisor.outcome(launchId)).survivors).toBeUndefined();
  expect(processesOf(supervisor.tokens.get(launchId)!)).toEqual([]);
}

describe.each(['libc', 'execa'] as const)('with the %s launcher', (launcher) => {
  const start = () => SupervisorUnderTest.start(build.entry, { launcher });

  test('a kill sends TERM to the whole group', async () => {
    const supervisor = await start();
    const id = supervisor.sh('sleep 1000 & echo $! > child; exec sleep 1000');
    const child = Number(await supervisor.written('child'));
    supervisor.send({ type: 'kill', launch_id: id });
    expect(await supervisor.outcome(id)).toMatchObject({ signal: 15, first_stop: 'kill' });
    expect(isAlive(child)).toBe(false);
    await expectNothingLeft(supervisor, id);
  });

  test('a kill that comes with the launch, before there is a process, counts', async () => {
    const supervisor = await start();
    const ids = Array.from({ length: 12 }, () => supervisor.launch(['/bin/sleep', '1000']));
    for (const id of ids) supervisor.send({ type: 'kill', launch_id: id });
    for (const id of ids) {
      const outcome = await supervisor.outcome(id);
      expect(outcome).toMatchObject({ signal: 15, first_stop: 'kill' });
      expect(outcome.timeout_at_ms).toBeUndefined();
    }
  });

  test('a task that ignores TERM is killed after the grace', async () => {
    const supervisor = await start();
    const id = supervisor.sh('trap "echo term >> terms" TERM; echo up > up; while :; do sleep 0.05; done');
    await supervisor.written('up');
    supervisor.send({ type: 'kill', launch_id: id, grace_ms: 60_000 });
    await supervisor.written('terms');
    // Of many kills the first counts, but a shorter grace shortens.
    supervisor.send({ type: 'kill', launch_id: id, grace_ms: 100 });
    expect(await supervisor.outcome(id)).toMatchObject({ signal: 9, first_stop: 'kill' });
    expect(readFileSync(join(supervisor.dir, 'work', 'terms'), 'utf8')).toBe('term\n');
    await expectNothingLeft(supervisor, id);
  });

  test('the first signal can be chosen, and a kill without grace is KILL', async () => {
    const supervisor = await start();
    const polite = supervisor.sh('trap "exit 42" INT; echo up > up; while :; do sleep 0.05; done');
    await supervisor.written('up');
    supervisor.send({ type: 'kill', launch_id: polite, signal: 2 });
    expect(await supervisor.outcome(polite)).toMatchObject({ exit_code: 42, first_stop: 'kill' });
    const hard = supervisor.sh('trap "" TERM; exec sleep 1000');
    await supervisor.started(hard);
    supervisor.send({ type: 'kill', launch_id: hard, grace_ms: 0 });
    expect(await supervisor.outcome(hard)).toMatchObject({ signal: 9 });
  });

  test('no kill lifts the wall time, whatever its signal and its grace', async () => {
    const supervisor = await start();
    const graces = [86_400_000, Number.MAX_SAFE_INTEGER];
    // Signals that end nothing: CONT, STOP, CHLD, URG, WINCH.
    const ids = [18, 19, 17, 23, 28].flatMap((signal) =>
      graces.map((grace_ms) => {
        const id = supervisor.sh('sleep 1000 & wait; sleep 1000', { wall_time_ms: 1000 });
        // Half of them before there is a process.
        if (grace_ms === graces[0]) supervisor.send({ type: 'kill', launch_id: id, signal, grace_ms });
        else
          void supervisor
            .started(id)
            .then(() => supervisor.send({ type: 'kill', launch_id: id, signal, grace_ms }));
        return id;
      }),
    );
    for (const id of ids)
      expect(await supervisor.outcome(id)).toMatchObject({ signal: 15, first_stop: 'kill' });
    const stubborn = supervisor.sh('trap "" TERM CONT; while :; do sleep 0.05; done', {
      wall_time_ms: 300,
      grace_ms: 100,
    });
    await supervisor.started(stubborn);
    supervisor.send({ type: 'kill', launch_id: stubborn, signal: 18, grace_ms: 86_400_000 });
    expect(await supervisor.outcome(stubborn)).toMatchObject({ signal: 9, first_stop: 'kill' });
  });

  test('a stopped task can be ended', async () => {
    const supervisor = await start();
    const id = supervisor.sh('kill -STOP $$; exit 5');
    const pid = await supervisor.started(id);
    await waitFor(() => readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') T '), { what: 'the stop' });
    supervisor.send({ type: 'kill', launch_id: id });
    expect(await supervisor.outcome(id)).toMatchObject({ signal: 15, first_stop: 'kill' });
  });

  test('the wall time ends a task', async () => {
    const supervisor = await start();
    const id = supervisor.sh('exec sleep 1000', { wall_time_ms: 150 });
    const timeout = await supervisor.message('timeout', (m) => m.launch_id === id);
    const outcome = await supervisor.outcome(id);
    expect(outcome).toMatchObject({ signal: 15, first_stop: 'timeout', timeout_at_ms: timeout.at_ms });
    expect(outcome.duration_ms).toBeGreaterThanOrEqual(150);
    const order = supervisor.messages.map((m) => m.type).filter((type) => type !== 'hello');
    expect(order).toEqual(['started', 'timeout', 'outcome']);
  });

  test('background children are killed at once when the leader exits', async () => {
    const supervisor = await start();
    const id = supervisor.sh('(trap "" TERM; while :; do sleep 1; done) & echo $! > child; exit 3');
    const outcome = await supervisor.outcome(id);
    expect(outcome).toMatchObject({ exit_code: 3 });
    expect(outcome.first_stop).toBeUndefined();
    await waitGone(Number(await supervisor.written('child')));
    await expectNothingLeft(supervisor, id);
  });

  test('what left the session and lost its parent is killed too', async () => {
    const supervisor = await start();
    const script = 'setsid sh -c "setsid sleep 1000 & echo \\$! > escaped; exec sleep 1000" & ';
    const id = supervisor.sh(`${script} while [ ! -s escaped ]; do sleep 0.01; done; exit 0`);
    expect(await supervisor.outcome(id)).toMatchObject({ exit_code: 0 });
    expect(isAlive(Number(await supervisor.written('escaped')))).toBe(false);
    await expectNothingLeft(supervisor, id);
  });

  test('a kill reaches what left the session while the leader lives', async () => {
    const supervisor = await start();
    const id = supervisor.sh(
      'trap "" TERM; setsid sleep 1000 & echo $! > escaped; while :; do sleep 0.05; done',
    );
    const escaped = Number(await supervisor.written('escaped'));
    supervisor.send({ type: 'kill', launch_id: id, grace_ms: 50 });
    expect(await supervisor.outcome(id)).toMatchObject({ signal: 9 });
    expect(isAlive(escaped)).toBe(false);
    await expectNothingLeft(supervisor, id);
  });

  test('a grandchild that keeps stdout open does not keep its task open', async () => {
    const supervisor = await start();
    const { outcome, stdout } = await supervisor.run(
      'setsid sh -c "echo late; exec sleep 1000" & sleep 0.1; exit 0',
    );
    expect(outcome.exit_code).toBe(0);
    expect(outcome.duration_ms).toBeLessThan(60_000);
    expect(stdout).toBe('late\n');
  });

  test('a kill for one that has ended, or never was, is nothing', async () => {
    const supervisor = await start();
    const id = supervisor.sh('exit 4');
    await supervisor.outcome(id);
    supervisor.send({ type: 'kill', launch_id: id });
    supervisor.send({ type: 'kill', launch_id: 999 });
    supervisor.send({ type: 'list' });
    await supervisor.message('listed');
    const told = supervisor.messages.filter((m) => m.type === 'outcome');
    expect(told.map((m) => m.outcome.exit_code)).toEqual([4, 4]);
    expect(told.map((m) => m.outcome.first_stop)).toEqual([undefined, undefined]);
  });
});

describe('with a tracking cgroup', () => {
  /** With a directory in which tasks may have their cgroups. */
  async function startTracking(): Promise<{ parent: string; supervisor: SupervisorUnderTest }> {
    const parent = join(V2_ROOT, cgroupName());
    mkdirSync(parent);
    onTestFinished(() => removeCgroup(parent));
    const supervisor = await SupervisorUnderTest.start(build.entry, { launcher: 'libc' });
    return { parent, supervisor };
  }

  /** A cgroup that tracks and limits nothing. */
  const tracking = (path: string) => ({ track: { path, settings: [] }, kill_file: true, limits: [] });

  test('a task is inside, what forgets its token dies with it, and the directory goes', async () => {
    const { parent, supervisor } = await startTracking();
    const path = join(parent, 'task');
    const cgroup = tracking(path);
    const script =
      `until grep -q "^0::${path.slice(V2_ROOT.length)}$" /proc/self/cgroup; do sleep 0.01; done; ` +
      'setsid env -i sh -c "echo \\$\\$ > pid; exec sleep 1000" & ' +
      'while [ ! -s pid ]; do sleep 0.01; done';
    const { outcome } = await supervisor.run(script, { cgroup });
    expect(outcome).toMatchObject({ exit_code: 0 });
    expect(isAlive(Number(await supervisor.written('pid')))).toBe(false);
    await waitFor(() => !existsSync(path), { what: 'the removal of the cgroup' });
  });

  test('what is forked at once and loses its parent stays with its task, whatever else ends', async () => {
    const { parent, supervisor } = await startTracking();
    const path = join(parent, 'task');
    const cgroup = tracking(path);
    const id = supervisor.sh(
      '(sh -c "echo \\$\\$ > pid; exec sleep 1000" >/dev/null 2>&1 &); while [ ! -e go ]; do sleep 0.01; done',
      { cgroup },
    );
    await supervisor.started(id);
    const background = Number(await supervisor.written('pid'));
    await waitFor(
      () => readFileSync(`/proc/${background}/cgroup`, 'utf8').includes(path.slice(V2_ROOT.length)),
      {
        what: 'its move into the cgroup',
      },
    );
    for (let other = 0; other < 5; other++) await supervisor.outcome(supervisor.sh('exit 0'));
    expect(isAlive(background)).toBe(true);
    writeFileSync(join(supervisor.dir, 'work', 'go'), '');
    expect(await supervisor.outcome(id)).toMatchObject({ exit_code: 0 });
    expect(isAlive(background)).toBe(false);
    await waitFor(() => !existsSync(path), { what: 'the removal of the cgroup' });
  });

  test('tasks that end before, while or after they are moved all end as they did, and leave no directory', async () => {
    const { parent, supervisor } = await startTracking();
    for (let round = 0; round < 12; round++) {
      const ids = [0, 1, 2, 3, 5, 8].map((ms) => {
        const cgroup = tracking(join(parent, `task-${round}-${ms}`));
        return supervisor.sh(`sleep 0.00${ms}; exit ${ms + 1}`, { cgroup });
      });
      const outcomes = await Promise.all(ids.map((id) => supervisor.outcome(id)));
      expect(outcomes.map(({ exit_code }) => exit_code)).toEqual([1, 2, 3, 4, 6, 9]);
    }
    await waitFor(() => readdirSync(parent, { withFileTypes: true }).every((entry) => !entry.isDirectory()), {
      what: 'the removal of the cgroups',
    });
    expect(supervisor.log()).not.toMatch(/cannot track/);
  });

  test('a cgroup with limits that cannot be made fails the launch; one that only tracks does not', async () => {
    const supervisor = await SupervisorUnderTest.start(build.entry, { launcher: 'libc' });
    const nowhere = { path: '/proc/nowhere/task', settings: [] };
    const limited = { track: nowhere, kill_file: true, limits: [nowhere] };
    const outcome = await supervisor.outcome(supervisor.sh('exit 0', { cgroup: limited }));
    expect(outcome.failure).toMatchObject({ stage: 'sandbox', message: expect.stringContaining('cgroup') });
    const tracked = supervisor.sh('while [ ! -e go ]; do sleep 0.01; done; exit 4', {
      cgroup: { ...limited, limits: [] },
    });
    // What has ended before its time to be tracked is not tracked at all.
    await waitFor(() => supervisor.log().includes('cannot track a task'), { what: 'the word of tracking' });
    writeFileSync(join(supervisor.dir, 'work', 'go'), '');
    expect(await supervisor.outcome(tracked)).toMatchObject({ exit_code: 4 });
  });
});

test('what gave up its token is killed once no task is left that it can belong to', async () => {
  const supervisor = await SupervisorUnderTest.start(build.entry, { launcher: 'libc' });
  const older = supervisor.sh('exec sleep 1000');
  await supervisor.started(older);
  const script = 'setsid env -i /bin/sh -c "echo \\$\\$ > pid; exec /bin/sleep 1000" & ';
  const { outcome } = await supervisor.run(`${script} while [ ! -s pid ]; do sleep 0.01; done`);
  expect(outcome).toMatchObject({ exit_code: 0 });
  const escaped = Number(await supervisor.written('pid'));
  supervisor.send({ type: 'kill', launch_id: older });
  await supervisor.outcome(older);
  await waitGone(escaped);
});

describe.each(['libc', 'execa'] as const)('through the chain, with the %s launcher', (launcher) => {
  const start = () => SupervisorUnderTest.start(build.entry, { launcher });

  test('the CPU limit is told from other ends', async () => {
    const supervisor = await start();
    const id = supervisor.sh('while :; do :; done', {
      chain: { rlimits: rlimits({ cpu_time_sec: 1 }), wrappers: [] },
    });
    expect(await supervisor.outcome(id)).toMatchObject({ signal: 24, cpu_exceeded: true, oom: false });
  });

  test('a program that cannot run is no exit code', async () => {
    const supervisor = await start();
    const chain = { rlimits: rlimits({ cpu_time_sec: 5 }), wrappers: [] };
    const missing = supervisor.launch(['no-such-program'], { chain });
    expect((await supervisor.outcome(missing)).failure).toMatchObject({ stage: 'launch' });
    const honest = supervisor.sh('exit 127', { chain });
    expect(await supervisor.outcome(honest)).toMatchObject({ exit_code: 127 });
    const wrapped = supervisor.sh('exit 0', { chain: { wrappers: [['/no/such/wrapper']] } });
    expect((await supervisor.outcome(wrapped)).failure).toMatchObject({ stage: 'sandbox' });
    expect(supervisor.messages.filter((m) => m.type === 'started').map((m) => m.launch.launch_id)).toEqual([
      honest,
    ]);
  });

  test('the program sees no descriptor of the chain', async () => {
    const supervisor = await start();
    const script = '{ echo leak >&3; } 2>/dev/null || echo closed';
    const { stdout } = await supervisor.run(script, {
      chain: { rlimits: rlimits({ cpu_time_sec: 5 }), wrappers: [] },
    });
    expect(stdout).toBe('closed\n');
  });
});

test('tasks are ended when the data directory is deleted', async () => {
  const supervisor = await SupervisorUnderTest.start(build.entry);
  const pid = await supervisor.started(supervisor.sh('exec sleep 1000'));
  rmSync(supervisor.process.dir, { recursive: true });
  await waitGone(pid);
  await waitGone(supervisor.process.pid);
});
