import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startTicks } from '../../src/sandbox/process/process-identity.js';
import { encodeRecord } from '../../src/supervisor/journal/journal.js';
import {
  type Daemon,
  eventTypes,
  isAlive,
  processesOf,
  script,
  startDaemon,
  submit,
  tempDir,
  waitFor,
  waitForEnd,
  waitGone,
} from '../harness/index.js';
import { countedTask, settled, violations } from './invariants.js';
import { killHard, printed, processesGone, startedPid, supervisorDirs, withDatabase } from './support.js';

const LOST = { status: 'failed', cause: 'lost', error: { code: 'internal', message: 'recovery_lost' } };
const GATED = (number: number) =>
  `echo up; while [ ! -e ../../../gate-${number} ]; do sleep 0.02; done; exit ${number}`;

/** A process that is nobody's task. It is ended after the test. */
function stranger(): ChildProcess & { pid: number } {
  const child = spawn('/bin/sleep', ['1000'], { env: {}, detached: true, stdio: 'ignore' });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await waitGone(child.pid!);
  });
  return child as ChildProcess & { pid: number };
}

const openGate = (daemon: Daemon, number: number) =>
  writeFileSync(join(daemon.dataDir, `gate-${number}`), '');

const journalOf = (daemon: Daemon) => join(supervisorDirs(daemon.dataDir)[0]!, 'journal');

test.each([['the daemon first'], ['the supervisor first']])('both die, %s', async (order) => {
  const runs = join(tempDir(), 'runs');
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '2'] });
  const supervisor = daemon.supervisorPid();
  const ended = await submit(daemon, countedTask(runs, GATED(4)));
  const running = await submit(daemon, countedTask(runs, 'echo up; sleep 600'));
  const waiting = await submit(daemon, countedTask(runs, 'echo waited'));
  for (const id of [ended, running]) await printed(daemon, id, 'up');
  if (order === 'the daemon first') {
    await daemon.kill();
    openGate(daemon, 4);
    await processesGone(ended);
    await waitFor(() => readFileSync(journalOf(daemon), 'utf8').includes('"exit_code":4'));
    await killHard(supervisor);
  } else {
    process.kill(supervisor, 'SIGKILL');
    await daemon.kill();
  }
  await waitGone(supervisor);
  await daemon.restart();
  expect(daemon.supervisorPid()).not.toBe(supervisor);
  expect(await waitForEnd(daemon, running)).toMatchObject({ ...LOST, stdout: 'up\n' });
  expect(await waitForEnd(daemon, ended)).toMatchObject(
    order === 'the daemon first' ? { status: 'failed', cause: 'exit', exit_code: 4 } : LOST,
  );
  expect(processesOf(running)).toEqual([]);
  expect(await waitForEnd(daemon, waiting)).toMatchObject({ status: 'success' });
  expect(await eventTypes(daemon, running)).not.toContain('recovered');
  await settled(daemon);
  expect(await violations(daemon, { acknowledged: [ended, running, waiting], runs })).toEqual([]);
});

test('after another boot everything that ran is lost, and nothing is signalled', async () => {
  const runs = join(tempDir(), 'runs');
  // Without cgroups: those of another boot are empty, and are swept.
  const daemon = await startDaemon({ cgroup: false });
  const supervisor = daemon.supervisorPid();
  const id = await submit(daemon, countedTask(runs, 'echo up; exec sleep 600'));
  await printed(daemon, id, 'up');
  const pid = await startedPid(daemon, id);
  await daemon.kill();
  await killHard(supervisor);
  withDatabase(daemon.dataDir, (db) =>
    db.exec("UPDATE supervisors SET boot_id = '00000000-0000-0000-0000-000000000000'"),
  );
  await daemon.restart();
  expect(await waitForEnd(daemon, id)).toMatchObject(LOST);
  expect(isAlive(pid)).toBe(true);
  await killHard(pid);
  await settled(daemon);
  expect(await violations(daemon, { acknowledged: [id], runs })).toEqual([]);
});

test('an outcome that was written down in another boot still counts', async () => {
  const daemon = await startDaemon({ cgroup: false });
  const supervisor = daemon.supervisorPid();
  const id = await submit(daemon, script(GATED(7)));
  await printed(daemon, id, 'up');
  await daemon.kill();
  openGate(daemon, 7);
  await waitFor(() => readFileSync(journalOf(daemon), 'utf8').includes('"exit_code":7'));
  await killHard(supervisor);
  withDatabase(daemon.dataDir, (db) => db.exec("UPDATE supervisors SET boot_id = 'another'"));
  await daemon.restart();
  expect(await waitForEnd(daemon, id)).toMatchObject({ status: 'failed', cause: 'exit', exit_code: 7 });
});

test('a recycled pid is never signalled: not of the supervisor, not of a task', async () => {
  const daemon = await startDaemon({ cgroup: false });
  const supervisor = daemon.supervisorPid();
  const id = await submit(daemon, script('echo up; exec sleep 600'));
  await printed(daemon, id, 'up');
  const pid = await startedPid(daemon, id);
  const [first, second] = [stranger(), stranger()];
  await daemon.kill();
  await killHard(supervisor);
  await killHard(pid);
  // The pids as if they had been given to others since; the start times stay what they were.
  withDatabase(daemon.dataDir, (db) => {
    db.prepare('UPDATE supervisors SET pid = ?').run(first.pid);
    db.prepare('UPDATE tasks SET pid = ?, pgid = ?').run(second.pid, second.pid);
  });
  const journal = journalOf(daemon);
  const records = readFileSync(journal, 'utf8').split('\n').slice(0, -1);
  const forged = records
    .map((line) => JSON.parse(line.slice(9)))
    .map((record) =>
      record.t === 'started' ? { ...record, launch: { ...record.launch, pid: second.pid } } : record,
    );
  expect(forged.filter((record) => record.t === 'started')).toHaveLength(1);
  writeFileSync(journal, forged.map(encodeRecord).join(''));
  await daemon.restart();
  expect(await waitForEnd(daemon, id)).toMatchObject(LOST);
  expect([first.pid, second.pid].map((each) => startTicks(each) !== undefined && isAlive(each))).toEqual([
    true,
    true,
  ]);
});

test('a supervisor that nobody reaps is dead', async () => {
  const daemon = await startDaemon();
  const id = await submit(daemon, script('echo up; exec sleep 600'));
  await printed(daemon, id, 'up');
  const supervisor = daemon.supervisorPid();
  await daemon.kill();
  // A zombie keeps pid and start time of what it was: here it is the child of one that never waits.
  // It ends once that one is no shell any more, which might wait for it after all.
  const child = 'sh -c "until grep -qx sleep /proc/\\$PPID/comm; do :; done"';
  const parent = spawn('/bin/sh', ['-c', `${child} & echo $!; exec sleep 1000`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  onTestFinished(() => void parent.kill('SIGKILL'));
  const zombie = Number(
    await new Promise<Buffer>((resolve) => parent.stdout.once('data', (text: Buffer) => resolve(text))),
  );
  await waitFor(() => !isAlive(zombie) && startTicks(zombie) !== undefined);
  await killHard(supervisor);
  withDatabase(daemon.dataDir, (db) =>
    db.prepare('UPDATE supervisors SET pid = ?, start_ticks = ?').run(zombie, startTicks(zombie)),
  );
  await daemon.restart();
  expect(await waitForEnd(daemon, id)).toMatchObject(LOST);
});

test.each([
  ['cut off', (text: string) => text.slice(0, -10)],
  ['bit-flipped', (text: string) => text.slice(0, -20) + flipped(text.slice(-20))],
])('a journal whose tail is %s: the intact part is used, the rest is told', async (_, damage) => {
  const runs = join(tempDir(), 'runs');
  const daemon = await startDaemon();
  const supervisor = daemon.supervisorPid();
  const intact = await submit(daemon, countedTask(runs, GATED(5)));
  const hidden = await submit(daemon, countedTask(runs, GATED(6)));
  for (const id of [intact, hidden]) await printed(daemon, id, 'up');
  const journal = journalOf(daemon);
  await daemon.kill();
  for (const number of [5, 6]) {
    openGate(daemon, number);
    await waitFor(() => readFileSync(journal, 'utf8').includes(`"exit_code":${number}`));
  }
  await killHard(supervisor);
  const text = readFileSync(journal, 'latin1');
  truncateSync(journal);
  writeFileSync(journal, damage(text), 'latin1');
  await daemon.restart();
  expect(await waitForEnd(daemon, intact)).toMatchObject({ status: 'failed', cause: 'exit', exit_code: 5 });
  expect(await waitForEnd(daemon, hidden)).toMatchObject(LOST);
  const told = daemon.logs().filter((line) => line.level >= 50 && /journal .* damaged/.test(line.msg));
  expect(told).toMatchObject([{ damage: { line: expect.any(Number), reason: expect.any(String) } }]);
  await settled(daemon);
  expect(await violations(daemon, { acknowledged: [intact, hidden], runs })).toEqual([]);
});

test.each([
  ['there', true],
  ['gone', false],
])('a launch that the supervisor never heard of, its journal being %s', async (_, there) => {
  const runs = join(tempDir(), 'runs');
  const daemon = await startDaemon({ env: { EXECGO_DAEMON_CRASH_AT: 'after_submit_commit' } });
  const id = 'unheard-of';
  await submit(daemon, countedTask(runs, 'true', { task_id: id })).catch(() => undefined);
  await daemon.exited();
  await killHard(daemon.supervisorPid());
  if (!there) rmSync(journalOf(daemon));
  await daemon.restart({ env: {} });
  // Without the journal nobody can tell that it did not run.
  expect(await waitForEnd(daemon, id)).toMatchObject(there ? { status: 'success' } : LOST);
  await settled(daemon);
  expect(await violations(daemon, { acknowledged: [id], runs })).toEqual([]);
});

test('what runs without a row is killed, and its supervisor keeps nothing of it', async () => {
  const daemon = await startDaemon();
  const supervisor = daemon.supervisorPid();
  const id = await submit(daemon, script("trap '' TERM; echo up; while :; do sleep 0.05; done"));
  await printed(daemon, id, 'up');
  await daemon.kill();
  withDatabase(daemon.dataDir, (db) => db.exec('DELETE FROM tasks'));
  await daemon.restart();
  expect(daemon.supervisorPid()).toBe(supervisor);
  await processesGone(id);
  // It exits only when it has nothing left to tell.
  await daemon.stop();
  await waitGone(supervisor);
});

function flipped(text: string): string {
  return String.fromCharCode(text.charCodeAt(0) ^ 4) + text.slice(1);
}
