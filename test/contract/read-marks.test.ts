import { expect, test } from 'vitest';
import type { ReadMark, TaskView } from '../../src/client/index.js';
import { command, type Daemon, execgo, http, startDaemon, submit, submitAndWait } from '../harness/index.js';

const unread = async (daemon: Daemon, reader: string, more = '') => {
  const { body } = await http(daemon.url).get<{ tasks: TaskView[] }>(
    `/api/v1/tasks?reader=${reader}&unread=true${more}`,
  );
  return body.tasks.map(({ task_id }) => task_id);
};
const mark = (daemon: Daemon, id: string, reader: string, body?: unknown) =>
  http(daemon.url).request<ReadMark & { error: { message: string } }>(
    'PUT',
    `/api/v1/tasks/${id}/read/${reader}`,
    {
      ...(body === undefined ? {} : { body }),
    },
  );

test('a reader is shown what has changed since it was seen, also after a restart', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1'] });
  await submitAndWait(daemon, command('true', [], { task_id: 'over' }));
  await submit(daemon, command('sleep', ['600'], { task_id: 'busy' }));
  await submit(daemon, command('true', [], { task_id: 'waits' }));
  expect(await unread(daemon, 'alice')).toEqual(['waits', 'busy', 'over']);
  const { version } = (await http(daemon.url).get<TaskView>('/api/v1/tasks/waits')).body;
  expect((await mark(daemon, 'waits', 'alice')).body).toEqual({ task_id: 'waits', reader: 'alice', version });
  expect((await mark(daemon, 'over', 'alice', {})).status).toBe(200);
  expect(await unread(daemon, 'alice')).toEqual(['busy']);
  expect(await unread(daemon, 'bob')).toEqual(['waits', 'busy', 'over']);
  expect(await unread(daemon, 'alice', '&status=success')).toEqual([]);
  await http(daemon.url).request('PATCH', '/api/v1/tasks/waits', { body: { policy: { priority: 1 } } });
  expect(await unread(daemon, 'alice')).toEqual(['waits', 'busy']);
  // What was seen is the version that was shown, although it has changed since.
  await mark(daemon, 'waits', 'alice', { version });
  expect(await unread(daemon, 'alice')).toEqual(['waits', 'busy']);
  await mark(daemon, 'waits', 'alice');
  await daemon.kill();
  await daemon.restart();
  expect(await unread(daemon, 'alice')).not.toContain('over');
  expect(await unread(daemon, 'alice', `&changed_after=0`)).not.toContain('over');
  await http(daemon.url).request('DELETE', '/api/v1/tasks/over');
  await submit(daemon, command('true', [], { task_id: 'over' }));
  expect(await unread(daemon, 'alice')).toContain('over');
});

test('what is not understood marks nothing, and a task has no more readers than it may', async () => {
  const daemon = await startDaemon();
  await submitAndWait(daemon, command('true', [], { task_id: 'a' }));
  for (const [reader, body, problem] of [
    ['alice', { version: 999 }, 'and has never had 999'],
    ['alice', { version: -1 }, 'version'],
    ['alice', { version: 'x' }, 'version'],
    ['alice', { until: 1 }, 'until'],
    ['al%20ice', undefined, 'reader: must be'],
    ['x'.repeat(129), undefined, 'reader: must be'],
  ] as const) {
    const answer = await mark(daemon, 'a', reader, body);
    expect([answer.status, answer.body.error.message]).toEqual([400, expect.stringContaining(problem)]);
  }
  expect((await mark(daemon, 'nobody', 'alice')).status).toBe(404);
  const { get } = http(daemon.url);
  for (const query of ['reader=alice', 'unread=true', 'reader=&unread=true', 'reader=a&unread=no'])
    expect((await get(`/api/v1/tasks?${query}`)).status).toBe(400);
  for (let i = 0; i < 64; i++) expect((await mark(daemon, 'a', `r${i}`)).status).toBe(200);
  expect((await mark(daemon, 'a', 'r65')).status).toBe(429);
  expect((await mark(daemon, 'a', 'r0', { version: 0 })).status).toBe(200);
  expect(await unread(daemon, 'r0')).toEqual(['a']);
});

test('the command line marks tasks and shows what is unread', async () => {
  const daemon = await startDaemon();
  await submitAndWait(daemon, command('true', [], { task_id: 'a' }));
  await submitAndWait(daemon, command('true', [], { task_id: 'b' }));
  const read = await execgo(['read', '--reader', 'alice', 'a', 'nobody'], { daemon });
  expect([read.code, JSON.parse(read.stdout)]).toMatchObject([1, { task_id: 'a', reader: 'alice' }]);
  expect(read.stderr).toContain('nobody: task not found: nobody');
  const list = await execgo(['list', '--unread-by', 'alice'], { daemon });
  expect(JSON.parse(list.stdout).tasks).toMatchObject([{ task_id: 'b' }]);
  const noReader = await execgo(['read', 'a'], { daemon });
  expect([noReader.code, noReader.stderr]).toEqual([2, expect.stringContaining('--reader')]);
});
