import { renameSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import {
  command,
  eventTypes,
  http,
  script,
  startDaemon,
  submit,
  submitAndWait,
  tempDir,
  waitForEnd,
} from '../harness/index.js';
import { printed, supervisorDirs } from './support.js';

/** Stands between a daemon and its supervisor, and changes lines of the supervisor on their way. */
async function between(dir: string, change: (line: string) => string): Promise<void> {
  const socket = join(dir, 's');
  renameSync(socket, `${socket}.true`);
  const server = createServer((daemon) => {
    const supervisor = connect(`${socket}.true`);
    daemon.pipe(supervisor);
    createInterface(supervisor).on('line', (line) => daemon.write(`${change(line)}\n`));
    for (const [one, other] of [
      [daemon, supervisor],
      [supervisor, daemon],
    ] as const)
      one.on('error', () => undefined).on('close', () => other.destroy());
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  onTestFinished(() => void server.close());
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
  let acknowledged = 0;
  await between(supervisorDirs(daemon.dataDir)[0]!, (line) => {
    const message = JSON.parse(line) as { type: string; outcome?: { exit_code?: number } };
    if (message.type !== 'outcome' || message.outcome?.exit_code !== 7) return line;
    acknowledged++;
    return JSON.stringify({ ...message, outcome: { ...message.outcome, ...fields } });
  });
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
  expect(daemon.logs().filter(({ msg }) => msg.includes('is not understood')).length).toBe(acknowledged);
  // Once it is written down nobody tells of it any more.
  await daemon.restart();
  expect((await submitAndWait(daemon, command('true'))).status).toBe('success');
  expect(acknowledged).toBe(1);
});
