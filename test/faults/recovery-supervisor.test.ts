import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import {
  command,
  type Daemon,
  eventTypes,
  http,
  isAlive,
  processesOf,
  script,
  startDaemon,
  submit,
  submitAndWait,
  tempDir,
  waitFor,
  waitForEnd,
} from '../harness/index.js';
import { countedTask, settled, violations } from './invariants.js';
import { killHard, nextSupervisor, printed, startedPid, statusOf, supervisorDirs } from './support.js';

const LOST = { status: 'failed', cause: 'lost', error: { code: 'internal', message: 'recovery_lost' } };
/** Leaves its session, its group and, in the second half, its parent; tells its pid in the file `escaped`. */
const ESCAPE = "setsid sh -c 'echo $$ > ../../../escaped; exec sleep 600' & echo up; exec sleep 600";

async function escapedPid(daemon: Daemon): Promise<number> {
  const file = join(daemon.dataDir, 'escaped');
  return Number(await waitFor(() => existsSync(file) && readFileSync(file, 'utf8').trim()));
}

test.each([
  ['with cgroups', true],
  ['without cgroups', false],
])(
  'kill -9 of the supervisor %s: what it ran is killed and lost, the next begins at once',
  async (_, cgroup) => {
    const runs = join(tempDir(), 'runs');
    const daemon = await startDaemon({ flags: ['--max-running-tasks', '3'], cgroup });
    const first = daemon.supervisorPid();
    const run = (body: string) => submit(daemon, countedTask(runs, body));
    const plain = await run('echo up; exec sleep 600');
    const escaping = await run(ESCAPE);
    const limited = await submit(
      daemon,
      countedTask(runs, 'echo up; sleep 600', { limits: { memory_bytes: 64 << 20, pids_max: 50 } }),
    );
    const waiting = await run('echo waited');
    for (const id of [plain, escaping, limited]) await printed(daemon, id, 'up');
    const escaped = await escapedPid(daemon);
    const pids = await Promise.all([plain, escaping, limited].map((id) => startedPid(daemon, id)));
    expect(pids.concat(escaped).map(isAlive)).toEqual([true, true, true, true]);

    await killHard(first);
    for (const id of [plain, escaping, limited]) {
      expect(await waitForEnd(daemon, id)).toMatchObject({ ...LOST, stdout: 'up\n' });
      expect(await eventTypes(daemon, id)).toEqual(
        'submitted accepted planned resource_reserved started resource_released failed'
          .split(' ')
          // An adaptive plan on a host, or a daemon, without cgroups says so.
          .flatMap((type) => (type === 'planned' && id === limited && !cgroup ? [type, 'degraded'] : [type])),
      );
      expect(processesOf(id)).toEqual([]);
    }
    expect(isAlive(escaped)).toBe(false);
    expect(await waitForEnd(daemon, waiting)).toMatchObject({ status: 'success', stdout: 'waited\n' });
    expect((await statusOf(daemon, waiting)).shim_pid).not.toBe(first);
    await waitFor(() => supervisorDirs(daemon.dataDir).length === 1, {
      what: 'the removal of what the dead supervisor left',
    });
    await settled(daemon);
    expect(await violations(daemon, { acknowledged: [plain, escaping, limited, waiting], runs })).toEqual([]);
  },
);

test('supervisors that die one after the other: every task ends, new ones go on', async () => {
  const runs = join(tempDir(), 'runs');
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '4'] });
  const acknowledged: string[] = [];
  let pid = daemon.supervisorPid();
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 4; i++)
      acknowledged.push(await submit(daemon, countedTask(runs, i % 2 === 0 ? 'true' : 'sleep 0.3')));
    // Not waited for: the next one is hit while it is starting, connecting or launching.
    process.kill(pid, 'SIGKILL');
    pid = await nextSupervisor(daemon, pid);
  }
  for (const id of acknowledged) await waitForEnd(daemon, id);
  expect((await submitAndWait(daemon, command('true'))).status).toBe('success');
  await settled(daemon);
  // One task was not counted.
  expect(await violations(daemon, { acknowledged, runs })).toEqual([
    expect.stringMatching(/is a success and never ran$/),
  ]);
});

test('a thousand processes of a hundred lost tasks are found and killed together', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '100'], cgroup: false });
  const body = 'for i in 1 2 3 4 5 6 7 8 9; do setsid sleep 600 & done; echo up; exec sleep 600';
  const ids = await Promise.all(Array.from({ length: 100 }, () => submit(daemon, script(body))));
  for (const id of ids) await printed(daemon, id, 'up');
  await killHard(daemon.supervisorPid());
  for (const id of ids) expect(await waitForEnd(daemon, id)).toMatchObject(LOST);
  expect(ids.flatMap(processesOf)).toEqual([]);
  expect((await submitAndWait(daemon, command('true'))).status).toBe('success');
  await settled(daemon);
});

test('a stopped supervisor is not a dead one: all else goes on, and so does it', async () => {
  const runs = join(tempDir(), 'runs');
  const daemon = await startDaemon({ flags: ['--termination-grace-ms', '1000'] });
  const supervisor = daemon.supervisorPid();
  const run = (body: string) => submit(daemon, countedTask(runs, body));
  const running = await run('echo up; sleep 0.5; echo done');
  const killed = await run("trap 'exit 9' TERM; echo up; while :; do sleep 0.05; done");
  for (const id of [running, killed]) await printed(daemon, id, 'up');
  process.kill(supervisor, 'SIGSTOP');
  const later = await run('echo later');
  const answer = await http(daemon.url).post(`/api/v1/tasks/${killed}/kill`);
  expect([answer.status, answer.body.kill_requested]).toEqual([200, true]);
  expect((await statusOf(daemon, running)).status).toBe('running');

  // Longer than any single try to reach it takes.
  await daemon.kill();
  await daemon.restart();
  expect(daemon.supervisorPid()).not.toBe(supervisor);
  const meanwhile = await run('echo meanwhile');
  expect(await waitForEnd(daemon, meanwhile)).toMatchObject({ status: 'success', stdout: 'meanwhile\n' });
  for (const id of [running, later, killed]) expect((await statusOf(daemon, id)).status).toBe('running');
  process.kill(supervisor, 'SIGCONT');

  expect(await waitForEnd(daemon, running)).toMatchObject({ status: 'success', stdout: 'up\ndone\n' });
  expect(await waitForEnd(daemon, later)).toMatchObject({ status: 'success', stdout: 'later\n' });
  expect(await waitForEnd(daemon, killed)).toMatchObject({ status: 'cancelled', exit_code: 9 });
  await waitFor(() => !isAlive(supervisor), {
    what: 'the end of the older supervisor, which has nothing left',
  });
  await settled(daemon);
  expect(await violations(daemon, { acknowledged: [running, killed, later, meanwhile], runs })).toEqual([]);
});

/** Longer than anything in the daemon waits for an answer. */
const STOPPED_MS = 20_000;

test('a supervisor that is stopped under its daemon goes on where it was', async () => {
  const runs = join(tempDir(), 'runs');
  const daemon = await startDaemon();
  const supervisor = daemon.supervisorPid();
  const before = await submit(daemon, countedTask(runs, 'echo up; sleep 0.2'));
  await printed(daemon, before, 'up');
  process.kill(supervisor, 'SIGSTOP');
  const meanwhile: string[] = [];
  const until = performance.now() + STOPPED_MS;
  while (performance.now() < until) {
    meanwhile.push(await submit(daemon, countedTask(runs, 'true')));
    for (const path of ['/readyz', '/metrics', '/api/v1/runtime/resources', `/api/v1/tasks/${before}`])
      expect((await http(daemon.url).get(path)).status).toBe(200);
    await delay(STOPPED_MS / 20);
  }
  process.kill(supervisor, 'SIGCONT');
  for (const id of [before, ...meanwhile]) expect((await waitForEnd(daemon, id)).status, id).toBe('success');
  expect((await statusOf(daemon, meanwhile[0]!)).shim_pid).toBe(supervisor);
  await settled(daemon);
  expect(await violations(daemon, { acknowledged: [before, ...meanwhile], runs })).toEqual([]);
});
