import { expect, test } from 'vitest';
import type { Snapshot } from '../../src/client/index.js';
import {
  command,
  execgo,
  http,
  inTerminal,
  startDaemon,
  submit,
  submitAndWait,
  waitFor,
} from '../harness/index.js';

const inQueue = (queue: string) => ({ control_context: { queue } });
const ids = (tasks: Snapshot['next']) => tasks.map(({ task_id }) => task_id);

test('one answer tells what waits, runs and has ended, and fits what changed after it', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1'] });
  const { get, request } = http(daemon.url);
  for (let i = 0; i < 22; i++)
    await submitAndWait(daemon, command('true', [], { task_id: `a${i}`, ...inQueue('a') }));
  await submitAndWait(daemon, command('false', [], { task_id: 'b0', ...inQueue('b') }));
  await submit(daemon, command('sleep', ['600'], { task_id: 'busy', ...inQueue('b') }));
  for (const [task_id, priority] of Object.entries({ low: 0, high: 9 }))
    await submit(daemon, command('true', [], { task_id, policy: { priority }, ...inQueue('a') }));
  await waitFor(async () => (await get('/api/v1/tasks/busy')).body.started_at !== undefined);
  const all = (await get<Snapshot>('/api/v1/snapshot')).body;
  expect(all).toMatchObject({
    counts: { accepted: 2, running: 1 },
    ended: { success: 22, failed: 1, cancelled: 0 },
    ...{ slots_in_use: 1, slots: 1, started_per_minute: 24, ended_per_minute: 23 },
    oldest_waiting_ms: expect.any(Number) as number,
  });
  expect([ids(all.running), ids(all.next)]).toEqual([['busy'], ['high', 'low']]);
  expect(all.next[0]!.waiting?.reason).toBe('capacity');
  expect(ids(all.last)).toEqual(['b0', ...Array.from({ length: 19 }, (_, i) => `a${21 - i}`)]);
  expect(all).not.toHaveProperty('last_among');
  const since = (await get(`/api/v1/tasks?changed_after=${all.version}`)).body;
  expect(since).toMatchObject({ tasks: [], deleted: [], version: all.version });
  expect((await get(`/api/v1/events?after_seq=${all.last_seq}`)).body).toEqual([]);
  await request('PUT', '/api/v1/queues/b', { body: { paused: true } });
  const one = (await get<Snapshot>('/api/v1/snapshot?queue=b')).body;
  expect(one).toMatchObject({
    ...{ queue: 'b', paused: true, counts: { accepted: 0, running: 1 } },
    ...{ ended: { success: 0, failed: 1, cancelled: 0 }, slots_in_use: 1, next: [] },
  });
  expect(one).not.toHaveProperty('oldest_waiting_ms');
  expect([ids(one.running), ids(one.last)]).toEqual([['busy'], ['b0']]);
  const none = await get('/api/v1/snapshot?queue=nobody');
  expect([none.status, none.body.error.message]).toEqual([404, 'queue not found: nobody']);
});

test('the command line shows it on one screen', async () => {
  const daemon = await startDaemon();
  await submitAndWait(daemon, command('true', [], { task_id: 'done' }));
  await submit(daemon, command('sleep', ['600'], { task_id: 'busy' }));
  const shown = inTerminal(['snapshot'], { daemon, columns: 120 });
  expect(await shown.ended).toBe(0);
  expect(shown.shown()).toMatch(/^1 running \(1 of \d+ slots\), 0 waiting\nended: 1 success, 0 failed/);
  expect(shown.shown()).toMatch(/\nrunning\nTASK[^\n]*\nbusy [^]*\nlast\nTASK[^\n]*\ndone /);
  const json = await execgo(['snapshot', '--queue', 'default'], { daemon });
  expect([json.code, JSON.parse(json.stdout)]).toMatchObject([0, { queue: 'default' }]);
  const unknown = await execgo(['snapshot', '--queue', 'gpu'], { daemon });
  expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('queue not found: gpu')]);
});
