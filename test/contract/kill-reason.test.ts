import { expect, test } from 'vitest';
import type { EventView, TaskView } from '../../src/client/index.js';
import {
  command,
  type Daemon,
  execgo,
  http,
  inTerminal,
  startDaemon,
  submit,
  waitForEnd,
} from '../harness/index.js';

const OWNED = { control_context: { owner: 'ann' } };

const status = async (daemon: Daemon, id: string) =>
  (await http(daemon.url).get<TaskView>(`/api/v1/tasks/${id}`)).body;
const killEvents = async (daemon: Daemon, id: string) =>
  (await http(daemon.url).get<EventView[]>(`/api/v1/tasks/${id}/events`)).body
    .filter(({ event_type }) => event_type === 'kill_requested')
    .map(({ message, data }) => ({ message, data }));

test('who killed a task, when and why is told while it ends, in its history, in lists and after a restart', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1'] });
  const stays = ['-c', 'trap "" TERM; echo up; while :; do sleep 0.1; done'];
  await submit(daemon, command('sh', stays, { task_id: 'runs', ...OWNED }));
  await submit(daemon, command('true', [], { task_id: 'waits' }));
  const { post } = http(daemon.url);
  const killed = await post<TaskView>(
    '/api/v1/tasks/runs/kill?grace_ms=600000&reason=wrong%20data%20set',
    undefined,
    { 'x-execgo-owner': 'ann' },
  );
  const note = { kill_requested: true, kill_requested_by: 'ann', kill_reason: 'wrong data set' };
  expect(killed.body).toMatchObject({
    status: 'running',
    ...note,
    kill_requested_at: expect.any(String) as string,
  });
  const { kill_requested_at } = killed.body;
  const waiting = await post<TaskView>('/api/v1/tasks/waits/kill?reason=not%20needed');
  expect(waiting.body).toMatchObject({ status: 'cancelled', kill_reason: 'not needed' });
  expect(waiting.body).not.toHaveProperty('kill_requested_by');
  expect(await killEvents(daemon, 'runs')).toEqual([
    { message: 'kill requested: wrong data set (by ann)', data: { reason: 'wrong data set', by: 'ann' } },
  ]);
  expect(await killEvents(daemon, 'waits')).toEqual([
    { message: 'kill requested: not needed', data: { reason: 'not needed' } },
  ]);
  // The first order counts.
  await post('/api/v1/tasks/runs/kill?reason=other', undefined, { 'x-execgo-owner': 'ann' });
  await daemon.kill();
  await daemon.restart();
  expect(await status(daemon, 'runs')).toMatchObject({ status: 'running', ...note, kill_requested_at });
  await http(daemon.url).post('/api/v1/tasks/runs/kill?signal=9', undefined, { 'x-execgo-owner': 'ann' });
  expect(await waitForEnd(daemon, 'runs')).toMatchObject({ status: 'cancelled', ...note, kill_requested_at });
  const list = await http(daemon.url).get<{ tasks: TaskView[] }>('/api/v1/tasks?fields=kill_reason');
  expect(list.body.tasks).toEqual([
    { task_id: 'waits', kill_reason: 'not needed' },
    { task_id: 'runs', kill_reason: 'wrong data set' },
  ]);
});

test('the reason for the kill of a group is kept with each of its tasks', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1'] });
  const inGroup = { control_context: { group: 'g' } };
  await submit(daemon, command('sleep', ['600'], { task_id: 'runs', ...inGroup }));
  await submit(daemon, command('true', [], { task_id: 'waits', ...inGroup }));
  const { post } = http(daemon.url);
  for (const bad of ['reason=', `reason=${'x'.repeat(10_000)}`])
    expect((await post(`/api/v1/groups/g/kill?${bad}`)).status).toBe(400);
  expect(
    (await post('/api/v1/groups/g/kill?reason=wrong%20input', undefined, { 'x-execgo-owner': 'ann' })).status,
  ).toBe(200);
  for (const id of ['runs', 'waits']) {
    const ended = await waitForEnd(daemon, id);
    expect(ended).toMatchObject({
      status: 'cancelled',
      kill_reason: 'wrong input',
      kill_requested_by: 'ann',
    });
    expect(await killEvents(daemon, id)).toEqual([
      { message: 'kill requested: wrong input (by ann)', data: { reason: 'wrong input', by: 'ann' } },
    ]);
  }
});

test('a kill without a word keeps none, and bad ones are refused', async () => {
  const daemon = await startDaemon();
  await submit(daemon, command('sleep', ['600'], { task_id: 'a' }));
  const { post } = http(daemon.url);
  for (const [query, problem] of [
    ['reason=', 'must not be empty'],
    ['reason=a&reason=b', 'must be given once'],
    [`reason=${'x'.repeat(1001)}`, 'must have at most 1000 characters'],
  ]) {
    const answer = await post(`/api/v1/tasks/a/kill?${query}`);
    expect([answer.status, answer.body.error.message]).toEqual([400, expect.stringContaining(problem!)]);
  }
  expect((await status(daemon, 'a')).kill_requested).toBe(false);
  const view = (await post<TaskView>('/api/v1/tasks/a/kill?wait_ms=60000')).body;
  expect(view).toMatchObject({ status: 'cancelled', kill_requested: true });
  expect(view).not.toHaveProperty('kill_reason');
  expect(await killEvents(daemon, 'a')).toEqual([{ message: 'kill requested', data: undefined }]);
});

test('the command line takes a reason, and shows it', async () => {
  const daemon = await startDaemon();
  await submit(daemon, command('sleep', ['600'], { task_id: 'a', ...OWNED }));
  const empty = await execgo(['kill', '--reason', '', 'a'], { daemon });
  expect([empty.code, empty.stderr]).toEqual([1, expect.stringContaining('--reason: must not be empty')]);
  const { code, stdout } = await execgo(['kill', '--owner', 'ann', '--reason', 'a "test"', '--wait', 'a'], {
    daemon,
  });
  expect([code, JSON.parse(stdout)]).toMatchObject([
    0,
    { kill_reason: 'a "test"', kill_requested_by: 'ann' },
  ]);
  const shown = inTerminal(['status', 'a'], { daemon });
  expect(await shown.ended).toBe(0);
  expect(shown.shown()).toMatch(/^killed +by ann: a "test"$/m);
});
