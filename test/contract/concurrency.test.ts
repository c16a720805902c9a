import { expect, test } from 'vitest';
import type { TaskView } from '../../src/task/view.js';
import { command, execgo, http, startDaemon, submit, waitForEnd } from '../harness/index.js';

const RUNS_ON = ['sleep', ['600']] as const;
const keyed = (concurrency: object) => ({ policy: { concurrency } });

test('a key holds over a restart, is told by status and explain, and is set at the command line', async () => {
  const daemon = await startDaemon();
  const run = (...args: string[]) => execgo(args, { daemon });
  await submit(daemon, { task_id: 'a', ...command(...RUNS_ON, keyed({ key: 'k' })) });
  const flags = ['--workspace', '--concurrency-key', 'k'];
  expect((await run('submit', ...flags, '--id', 'b', '--concurrency-limit', '1', '--', 'true')).code).toBe(0);
  await daemon.restart();
  const { body } = await http(daemon.url).get<TaskView>('/api/v1/tasks/b');
  expect(body).toMatchObject({
    status: 'accepted',
    concurrency: { key: 'k', limit: 1, on_conflict: 'wait' },
    waiting: { reason: 'concurrency', lack: { of: 'concurrency', free: 0, limit: 1 } },
  });
  const explained = (await run('explain', 'b')).stdout;
  expect(explained).toContain('as many tasks with concurrency key "k" run as it allows: 1');
  expect(explained).toContain('1 task holds the rest: a (1 slot)');
  const refused = await run('submit', ...flags, '--on-conflict', 'reject', '--', 'true');
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('concurrency key "k" wait or run'),
  });
  const answer = await http(daemon.url).post(
    '/api/v1/tasks',
    command('true', [], keyed({ key: 'k', on_conflict: 'reject' })),
  );
  expect([answer.status, answer.body.error.code]).toEqual([409, 'concurrency_conflict']);
  await run('submit', ...flags, '--id', 'c', '--on-conflict', 'cancel_running', '--', 'true');
  expect(await waitForEnd(daemon, 'c')).toMatchObject({ status: 'success' });
  for (const id of ['a', 'b']) expect(await waitForEnd(daemon, id)).toMatchObject({ status: 'cancelled' });
});

test('bad input is refused with what was wrong', async () => {
  const daemon = await startDaemon();
  for (const [concurrency, field] of [
    ['k', 'policy.concurrency'],
    [{}, 'policy.concurrency.key'],
    [{ key: '' }, 'policy.concurrency.key'],
    [{ key: 'x'.repeat(1025) }, 'policy.concurrency.key'],
    [{ key: 'k', limit: 0 }, 'policy.concurrency.limit'],
    [{ key: 'k', limit: 1.5 }, 'policy.concurrency.limit'],
    [{ key: 'k', on_conflict: 'fight' }, 'policy.concurrency.on_conflict'],
    [{ key: 'k', max: 2 }, 'policy.concurrency'],
  ] as const) {
    const answer = await http(daemon.url).post(
      '/api/v1/tasks',
      command('true', [], { policy: { concurrency } }),
    );
    expect([answer.status, answer.body.error.message.split(': ')[1]], JSON.stringify(concurrency)).toEqual([
      400,
      field,
    ]);
  }
  const alone = await execgo(['submit', '--on-conflict', 'wait', '--', 'true'], { daemon });
  expect(alone).toMatchObject({ code: 2, stderr: expect.stringContaining('go with --concurrency-key') });
});
