import { linkSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import {
  command,
  eventTypes,
  http,
  isAlive,
  script,
  startDaemon,
  submit,
  tempDir,
  waitFor,
  waitForEnd,
} from '../harness/index.js';
import { printed, supervisorDirs, withDatabase } from './support.js';

/**
 * Stands between a supervisor and the next daemon that connects to it, and changes lines of the supervisor on their way.
 * The supervisor is stopped until its socket is back in its place: it ends everything once it sees that it is not.
 */
async function between(supervisor: number, dir: string, change: (line: string) => string): Promise<void> {
  const place = join(dir, 's');
  process.kill(supervisor, 'SIGSTOP');
  linkSync(place, `${place}.true`);
  const server = createServer((daemon) => {
    const behind = connect(`${place}.true`, () => {
      renameSync(`${place}.true`, place);
      process.kill(supervisor, 'SIGCONT');
    });
    daemon.pipe(behind);
    createInterface(behind)
      .on('line', (line) => daemon.write(`${change(line)}\n`))
      .on('error', () => undefined);
    for (const [one, other] of [
      [daemon, behind],
      [behind, daemon],
    ] as const)
      one.on('error', () => undefined).on('close', () => other.destroy());
  });
  // Closing it removes the path that it was made with, which must not be that of the supervisor.
  await new Promise<void>((resolve) => server.listen(`${place}.between`, resolve));
  renameSync(`${place}.between`, place);
  onTestFinished(() => {
    server.close();
    if (isAlive(supervisor)) process.kill(supervisor, 'SIGCONT');
  });
}

test.each([
  ['an exit code that is no number', { exit_code: 'seven' }],
  ['times that are none', { finished_at_ms: null, duration_ms: -1 }],
  ['streams that are none', { stdout: 5, stderr: undefined }],
  ['a cause that nobody knows', { exit_code: undefined, failure: { stage: 'elsewhere', message: 'x' } }],
])('an end that is told with %s is lost, and its room is free', async (_what, fields) => {
  const gate = join(tempDir(), 'gate');
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1'] });
  const id = await submit(daemon, script(`echo up; while [ ! -e ${gate} ]; do sleep 0.05; done; exit 7`));
  await printed(daemon, id, 'up');
  const after = await submit(daemon, command('true'));
  await daemon.stop();
  const supervisor = daemon.supervisorPid();
  const [dir] = supervisorDirs(daemon.dataDir);
  let acknowledged = 0;
  const garble = (line: string): string => {
    const message = JSON.parse(line) as { type: string; outcome?: { exit_code?: number } };
    if (message.type !== 'outcome' || message.outcome?.exit_code !== 7) return line;
    acknowledged++;
    return JSON.stringify({ ...message, outcome: { ...message.outcome, ...fields } });
  };
  await between(supervisor, dir!, garble);
  await daemon.restart();
  writeFileSync(gate, '');
  expect(await waitForEnd(daemon, id)).toMatchObject({
    status: 'failed',
    cause: 'lost',
    error: { code: 'internal', message: 'recovery_lost' },
    stdout: 'up\n',
  });
  expect((await waitForEnd(daemon, after)).status).toBe('success');
  expect((await eventTypes(daemon, id)).slice(-2)).toEqual(['resource_released', 'failed']);
  expect((await http(daemon.url).get('/api/v1/runtime/resources')).body.reserved.task_slots).toBe(0);
  const told = () => daemon.logs().filter(({ msg }) => msg.includes('is not understood')).length;
  await waitFor(() => told() === acknowledged, { what: 'one line of the log for each' });
  // Once it is written down nobody tells of it any more, while the supervisor has reason to stay.
  const stays = await submit(daemon, script('echo up; exec sleep 600'));
  await printed(daemon, stays, 'up');
  await daemon.stop();
  await between(supervisor, dir!, garble);
  await daemon.restart();
  expect(daemon.supervisorPid()).toBe(supervisor);
  await http(daemon.url).post(`/api/v1/tasks/${stays}/kill`);
  expect((await waitForEnd(daemon, stays)).status).toBe('cancelled');
  expect(acknowledged).toBe(1);
});

/** Two rounds of what a new supervisor once had to answer in, in milliseconds. */
const TWO_ROUNDS_MS = 11_000;

test('a new supervisor that does not answer is waited for: no other is started beside it', async () => {
  const daemon = await startDaemon();
  const old = daemon.supervisorPid();
  process.kill(old, 'SIGKILL');
  // Stopped as soon as it listens, it is connected to, and says nothing.
  const pid = stopWhenItListens(daemon.pid, old, daemon.dataDir);
  const id = await submit(daemon, script('echo done'));
  const silent = () => daemon.logs().filter(({ msg }) => msg.includes('does not answer yet'));
  const recorded = () =>
    withDatabase(daemon.dataDir, (db) => db.prepare('SELECT pid FROM supervisors').pluck().all());
  const seen = new Set<unknown>();
  try {
    await waitFor(() => silent().length > 0, { what: 'a word that it does not answer' });
    const until = performance.now() + TWO_ROUNDS_MS;
    await waitFor(
      () => {
        for (const each of recorded()) seen.add(each);
        return performance.now() > until;
      },
      { timeoutMs: 60_000 },
    );
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  expect([...seen].filter((each) => each !== old)).toEqual([pid]);
  expect((await waitForEnd(daemon, id)).stdout).toBe('done\n');
  // One that finds itself without a daemon for so long may end first: then there is another, and not beside it.
  await waitFor(() => recorded().length === 1, { what: 'one supervisor' });
  expect(silent()).toHaveLength(1);
});

/** Looks without a pause: between a supervisor's first breath and its first answer are milliseconds. */
function stopWhenItListens(daemon: number, old: number, dataDir: string): number {
  const end = performance.now() + 20_000;
  // The flag that a socket listens stands before its path.
  const listening = new RegExp(` 00010000 0001 01 +\\d+ ${dataDir}/supervisor/`);
  while (performance.now() < end) {
    const pids = readFileSync(`/proc/${daemon}/task/${daemon}/children`, 'utf8').split(' ').map(Number);
    const pid = pids.find((each) => each > 0 && each !== old);
    if (pid === undefined || !listening.test(readFileSync('/proc/net/unix', 'utf8'))) continue;
    process.kill(pid, 'SIGSTOP');
    return pid;
  }
  throw new Error('no new supervisor listens');
}
