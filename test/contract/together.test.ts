import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { GroupView } from '../../src/task/groups.js';
import type { EventView, TaskView } from '../../src/task/view.js';
import {
  command,
  type Daemon,
  http,
  script,
  startDaemon,
  submit,
  tempDir,
  waitFor,
  waitForEnd,
} from '../harness/index.js';

const FAILS_ONCE = 'exit $((EXECGO_ATTEMPT % 2))';
const retry = (backoff_ms: number, max_attempts = 2) => ({ retry: { max_attempts, backoff_ms } });
const LONG = 3_600_000;
const status = async (daemon: Daemon, id: string) =>
  (await http(daemon.url).get<TaskView>(`/api/v1/tasks/${id}`)).body;
const inBackoff = (daemon: Daemon, id: string) =>
  waitFor(async () => (await status(daemon, id)).waiting?.reason === 'retry_backoff', {
    what: `${id} to wait for its next attempt`,
  });
const seqOf = async (daemon: Daemon, id: string, type: string) => {
  const events = (await http(daemon.url).get<EventView[]>(`/api/v1/tasks/${id}/events`)).body;
  return events.find((e) => e.event_type === type)?.seq ?? NaN;
};

test('what waits for a task waits for its end, whatever becomes of an attempt', async () => {
  const daemon = await startDaemon();
  const gate = join(tempDir(), 'gate');
  const body = `if [ $EXECGO_ATTEMPT = 2 ]; then until test -e ${gate}; do sleep 0.05; done; fi; ${FAILS_ONCE}`;
  await submit(daemon, { task_id: 'first', ...script(body, { policy: retry(0) }) });
  for (const when of ['success', 'failure', 'end'])
    await submit(daemon, {
      task_id: when,
      ...command('true', [], { policy: { after: [{ task_id: 'first', when }] } }),
    });
  await waitFor(async () => {
    const task = await status(daemon, 'first');
    return task.attempt === 2 && task.status === 'running';
  });
  for (const id of ['success', 'failure', 'end'])
    expect(await status(daemon, id)).toMatchObject({ status: 'accepted', waiting: { reason: 'dependency' } });
  writeFileSync(gate, '');
  expect(await waitForEnd(daemon, 'success')).toMatchObject({ status: 'success' });
  expect(await waitForEnd(daemon, 'end')).toMatchObject({ status: 'success' });
  expect(await waitForEnd(daemon, 'failure')).toMatchObject({ cause: 'dependency' });
  const [failed, ended] = [
    await seqOf(daemon, 'first', 'attempt_failed'),
    await seqOf(daemon, 'first', 'finished'),
  ];
  expect(failed).toBeLessThan(ended);
  for (const [id, type] of [
    ['success', 'eligible'],
    ['end', 'eligible'],
    ['failure', 'cancelled'],
  ] as const)
    expect(await seqOf(daemon, id, type)).toBeGreaterThan(ended);
});

test('a task that waits for its next attempt gives its concurrency key back, and waits as others do', async () => {
  const daemon = await startDaemon();
  const keyed = (more: object = {}, policy: object = {}) => ({
    policy: { concurrency: { key: 'k', ...more }, ...policy },
  });
  await submit(daemon, { task_id: 'a', ...command('false', [], keyed({}, retry(LONG))) });
  await inBackoff(daemon, 'a');
  // It counts among those that wait or run.
  const refused = await http(daemon.url).post(
    '/api/v1/tasks',
    command('true', [], keyed({ on_conflict: 'reject' })),
  );
  expect(refused).toMatchObject({ status: 409, body: { error: { code: 'concurrency_conflict' } } });
  await submit(daemon, { task_id: 'b', ...command('sleep', ['600'], keyed()) });
  await waitFor(async () => (await status(daemon, 'b')).status === 'running');
  await daemon.restart();
  expect((await status(daemon, 'a')).waiting?.reason).toBe('retry_backoff');
  // One that is due again waits for the key as any other.
  await submit(daemon, { task_id: 'c', ...script(FAILS_ONCE, keyed({ limit: 2 }, retry(0))) });
  expect(await waitForEnd(daemon, 'c')).toMatchObject({ status: 'success', attempt: 2 });
  await submit(daemon, { task_id: 'd', ...command('true', [], keyed({ on_conflict: 'replace_waiting' })) });
  expect(await waitForEnd(daemon, 'a')).toMatchObject({
    status: 'cancelled',
    error: {
      message:
        'task cancelled before its next attempt: task d with concurrency key "k" has come in its place',
      details: { replaced_by: 'd' },
    },
  });
  expect((await status(daemon, 'd')).waiting).toMatchObject({ reason: 'concurrency' });
  await submit(daemon, { task_id: 'e', ...command('true', [], keyed({ on_conflict: 'cancel_running' })) });
  expect(await waitForEnd(daemon, 'e')).toMatchObject({ status: 'success' });
  for (const id of ['b', 'd']) expect(await waitForEnd(daemon, id)).toMatchObject({ status: 'cancelled' });
});

test('a group counts tasks, not attempts: one that waits for another attempt waits, and fails once', async () => {
  const daemon = await startDaemon();
  const gate = join(tempDir(), 'gate');
  const member = (policy: object) => ({ control_context: { group: 'g' }, policy });
  const group = async () => (await http(daemon.url).get<GroupView>('/api/v1/groups/g')).body;
  await submit(daemon, {
    task_id: 'a',
    ...script(`test -e ${gate} || exit 1; exit 2`, member({ max_failures: 1, ...retry(LONG, 3) })),
  });
  await submit(daemon, {
    task_id: 'b',
    ...command('true', [], member({ after: [{ task_id: 'a', when: 'end' }] })),
  });
  await inBackoff(daemon, 'a');
  expect(await group()).toMatchObject({ counts: { accepted: 2, running: 0, failed: 0 }, done: false });
  expect(await group()).not.toHaveProperty('stopped');
  const waited = http(daemon.url).get<GroupView>('/api/v1/groups/g?wait_ms=60000');
  const edited = await http(daemon.url).request('PATCH', '/api/v1/tasks/a', {
    body: { policy: { after: [{ task_id: 'b' }] } },
  });
  expect([edited.status, edited.body.error.code]).toEqual([400, 'invalid_input']);
  await submit(daemon, { task_id: 'other', ...command('sleep', ['600']) });
  const late = await http(daemon.url).request('PATCH', '/api/v1/tasks/a', {
    body: { policy: { after: [{ task_id: 'other' }] } },
  });
  expect(late).toMatchObject({
    status: 409,
    body: {
      error: { message: 'task a has run once: policy.after says after what its first attempt starts' },
    },
  });
  expect(existsSync(gate)).toBe(false);
  await http(daemon.url).post('/api/v1/tasks/a/kill');
  expect((await waited).body).toMatchObject({ counts: { success: 1, cancelled: 1, failed: 0 }, done: true });

  await submit(daemon, { task_id: 'c', ...script('exit 1', member({ max_failures: 1, ...retry(0, 3) })) });
  expect(await waitForEnd(daemon, 'c')).toMatchObject({ status: 'failed', attempt: 3 });
  expect(await group()).toMatchObject({ counts: { failed: 1 }, stopped: true });
});
