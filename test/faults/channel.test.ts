import { expect, test } from 'vitest';
import { command, http, script, startDaemon, submit, submitAndWait, waitForEnd } from '../harness/index.js';
import { printed, withDatabase } from './support.js';

test('more launches at once than a channel holds are all heard, and a kill before them', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '40', '--termination-grace-ms', '300'] });
  const stays = await submit(daemon, script('echo up; exec sleep 600'));
  await printed(daemon, stays, 'up');
  const supervisor = daemon.supervisorPid();
  process.kill(supervisor, 'SIGSTOP');
  const large = command('/bin/true', ['x'.repeat(1_900_000)]);
  const ids: string[] = [];
  for (let i = 0; i < 30; i++) ids.push(await submit(daemon, large));
  await http(daemon.url).post(`/api/v1/tasks/${stays}/kill`);
  process.kill(supervisor, 'SIGCONT');
  expect((await waitForEnd(daemon, stays, 60_000)).status).toBe('cancelled');
  for (const id of ids)
    expect(await waitForEnd(daemon, id, 60_000)).toMatchObject({
      cause: 'launch',
      error: { message: expect.stringMatching(/argument list too long/i) },
    });
  expect((await submitAndWait(daemon, command('true'))).status).toBe('success');
  expect(daemon.logs().filter((l) => l.msg.includes('supervisor'))).toEqual([]);
});

test('a request in the database that is none any more ends with the truth, and hurts nobody', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1'] });
  const busy = await submit(daemon, script('while [ ! -e ../../../gate ]; do sleep 0.05; done'));
  const odd = await submit(
    daemon,
    command('/bin/true', [], { execution: undefined, ...command('/bin/true') }),
  );
  const after = await submit(daemon, command('/bin/true'));
  await daemon.stop();
  withDatabase(daemon.dataDir, (db) =>
    db
      .prepare(
        "UPDATE tasks SET request_json = json_set(request_json, '$.execution.env', json('{\"A\":5}')) WHERE task_id = ?",
      )
      .run(odd),
  );
  await daemon.restart();
  await http(daemon.url).post(`/api/v1/tasks/${busy}/kill`);
  expect(await waitForEnd(daemon, odd)).toMatchObject({
    status: 'failed',
    cause: 'launch',
    error: { code: 'invalid_input', message: expect.stringContaining('execution.env.A') },
  });
  expect((await waitForEnd(daemon, after)).status).toBe('success');
});
