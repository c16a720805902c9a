import { expect, test } from 'vitest';
import { ExecgoClient, type BulkAnswer, type TaskView } from '../../src/client/index.js';
import {
  command,
  type Daemon,
  execgo,
  http,
  startDaemon,
  submit,
  submitAndWait,
  waitForEnd,
} from '../harness/index.js';

const act = async (daemon: Daemon, body: unknown, headers: Record<string, string> = {}) =>
  http(daemon.url).post<BulkAnswer & { error: { message: string } }>('/api/v1/tasks/actions', body, headers);
const acted = async (daemon: Daemon, body: unknown, headers: Record<string, string> = {}) => {
  const answer = await act(daemon, body, headers);
  expect([answer.status, answer.text]).toEqual([200, expect.any(String)]);
  return answer.body;
};
const said = ({ items }: BulkAnswer) =>
  items.map((item) => `${item.task_id} ${'error' in item ? item.error.code : (item.status ?? 'deleted')}`);
const status = async (daemon: Daemon, id: string) =>
  (await http(daemon.url).get<TaskView>(`/api/v1/tasks/${id}`)).body;

/** `busy` runs, and what waits is in the queues q and r. */
async function daemonWithTasks(): Promise<Daemon> {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1'] });
  await submitAndWait(daemon, command('true', [], { task_id: 'over' }));
  await submit(daemon, command('sleep', ['600'], { task_id: 'busy', control_context: { queue: 'q' } }));
  for (const [task_id, queue, owner] of [
    ['q1', 'q', undefined],
    ['q2', 'q', 'ann'],
    ['r1', 'r', undefined],
  ] as const)
    await submit(daemon, command('true', [], { task_id, control_context: { queue, owner } }));
  return daemon;
}

test('each task has an answer of its own, and what one is refused for concerns no other', async () => {
  const daemon = await daemonWithTasks();
  const ids = ['q1', 'nobody', 'over', 'q2', 'q1'];
  const would = await acted(daemon, { action: 'kill', ids, dry_run: true });
  expect(said(would)).toEqual(['q1 accepted', 'nobody not_found', 'over conflict', 'q2 permission_denied']);
  expect(would).toMatchObject({ action: 'kill', dry_run: true, done: 1, refused: 3 });
  expect((await status(daemon, 'q1')).status).toBe('accepted');
  const did = await acted(daemon, { action: 'kill', ids, reason: 'test' }, { 'x-execgo-owner': 'ann' });
  expect(said(did)).toEqual(['q1 cancelled', 'nobody not_found', 'over conflict', 'q2 cancelled']);
  expect(await status(daemon, 'q2')).toMatchObject({ kill_reason: 'test', kill_requested_by: 'ann' });
  expect(said(await acted(daemon, { action: 'delete', ids: ['over', 'busy'] }))).toEqual([
    'over deleted',
    'busy conflict',
  ]);
  expect((await http(daemon.url).get('/api/v1/tasks/over')).status).toBe(404);
});

test('a filter chooses of those that it can be done with, also page after page', async () => {
  const daemon = await daemonWithTasks();
  const owner = { 'x-execgo-owner': 'ann' };
  const first = await acted(
    daemon,
    { action: 'edit', filter: { queue: 'q' }, limit: 1, changes: { policy: { priority: 7 } } },
    owner,
  );
  expect(said(first)).toEqual(['q2 accepted']);
  const rest = await acted(
    daemon,
    {
      action: 'edit',
      filter: { queue: 'q' },
      limit: 1,
      cursor: first.next_cursor,
      changes: { policy: { priority: 7 } },
    },
    owner,
  );
  expect(said(rest)).toEqual(['q1 accepted']);
  expect(rest.next_cursor).toBeUndefined();
  expect((await status(daemon, 'q1')).priority).toBe(7);
  expect((await status(daemon, 'r1')).priority).toBe(0);
  expect(said(await acted(daemon, { action: 'pause', filter: { queue: 'q' } }))).toEqual(['busy running']);
  expect((await status(daemon, 'busy')).paused).toBe(true);
  await acted(daemon, { action: 'resume', ids: ['busy'] });
  expect((await status(daemon, 'busy')).paused).toBeUndefined();
  const killed = await acted(daemon, { action: 'kill', filter: { queue: 'q' } }, owner);
  expect(killed.items.map(({ task_id }) => task_id)).toEqual(['q2', 'q1', 'busy']);
  expect((await waitForEnd(daemon, 'busy')).status).toBe('cancelled');
  await waitForEnd(daemon, 'r1');
  const deleted = await acted(
    daemon,
    { action: 'delete', filter: { status: ['cancelled'], finished_after: '2020-01-01T00:00:00Z' } },
    owner,
  );
  expect(said(deleted)).toEqual(['q2 deleted', 'q1 deleted', 'busy deleted']);
});

test('what is held is released, and what has ended is run again, each with an answer of its own', async () => {
  const daemon = await startDaemon();
  const held = { policy: { hold: true } };
  for (const [task_id, group, owner] of [
    ['a', 'g', undefined],
    ['b', 'g', 'ann'],
    ['c', 'h', undefined],
  ] as const)
    await submit(daemon, command('false', [], { task_id, control_context: { group, owner }, ...held }));
  const filter = { group: 'g' };
  expect(said(await acted(daemon, { action: 'release', filter, dry_run: true }))).toEqual([
    ...['b permission_denied', 'a accepted'],
  ]);
  expect((await status(daemon, 'a')).waiting?.reason).toBe('held');
  const did = await acted(daemon, { action: 'release', filter });
  expect(did).toMatchObject({ action: 'release', done: 1, refused: 1 });
  expect((await waitForEnd(daemon, 'a')).status).toBe('failed');
  expect((await status(daemon, 'c')).waiting?.reason).toBe('held');
  expect(said(await acted(daemon, { action: 'release', ids: ['a', 'nobody'] }))).toEqual([
    ...['a conflict', 'nobody not_found'],
  ]);
  const cli = await execgo(['bulk', 'release', '--group', 'g', '--owner', 'ann'], { daemon });
  expect([cli.code, said(JSON.parse(cli.stdout))[0]]).toEqual([0, expect.stringMatching(/^b /)]);
  await waitForEnd(daemon, 'b');
  const retried = await acted(daemon, { action: 'retry', filter }, { 'x-execgo-owner': 'ann' });
  expect(said(retried)).toEqual(['b failed', 'a failed']);
  const again = await http(daemon.url).get<{ tasks: TaskView[] }>('/api/v1/tasks?group=g&order=oldest');
  expect(again.body.tasks.slice(2).map(({ task_id }) => task_id)).toHaveLength(2);
  for (const { task_id } of again.body.tasks.slice(2))
    expect(['a', 'b']).toContain((await waitForEnd(daemon, task_id)).retry_of);
  // What has been run again is not run a third time by the same word.
  await acted(daemon, { action: 'retry', ids: ['a', 'c'] });
  expect((await http(daemon.url).get('/api/v1/tasks?group=g')).body.tasks).toHaveLength(4);
  expect((await status(daemon, 'c')).status).toBe('accepted');
});

test('what is not understood does nothing', async () => {
  const daemon = await daemonWithTasks();
  for (const [body, problem] of [
    [{}, 'action: must be one of kill, delete'],
    [{ action: 'explode', ids: ['q1'] }, 'action: must be one of'],
    [{ action: 'kill' }, 'ids: is required, or filter'],
    [{ action: 'kill', ids: [] }, 'ids: must name a task'],
    [{ action: 'kill', ids: ['q1'], filter: { queue: 'q' } }, 'filter: does not go with ids'],
    [{ action: 'kill', filter: {} }, 'filter: names no condition'],
    [{ action: 'kill', filter: { ques: 'q' } }, 'ques'],
    [{ action: 'release', filter: { group: '' } }, 'filter.group: must not be empty'],
    [{ action: 'release', ids: ['q1'], changes: {} }, 'changes: goes with the action edit only'],
    [{ action: 'release', filter: { status: ['running'] } }, 'filter.status: must be some of accepted'],
    [{ action: 'kill', filter: { queue: 'q' }, limit: 0 }, 'limit'],
    [{ action: 'kill', ids: ['q1'], cursor: 'x' }, 'cursor: goes with filter only'],
    [{ action: 'kill', filter: { queue: 'q' }, cursor: 'x' }, 'cursor: is not one that a list returned'],
    [{ action: 'kill', filter: { status: ['failed'] } }, 'filter.status: must be some of accepted, running'],
    [{ action: 'delete', ids: ['q1'], reason: 'x' }, 'reason: goes with the action kill only'],
    [{ action: 'edit', ids: ['q1'] }, 'changes: is required for edit'],
    [{ action: 'edit', ids: ['q1'], changes: { priority: 1 } }, 'is changed as policy.priority'],
    [{ action: 'kill', ids: ['q1'], dry: true }, 'dry'],
    [{ action: 'kill', filter: { finished_before: 'today' } }, 'filter.finished_before: must be a time'],
    [[], 'body'],
  ] as const) {
    const answer = await act(daemon, body);
    expect([answer.status, answer.body.error.message]).toEqual([400, expect.stringContaining(problem)]);
  }
  expect((await http(daemon.url).post('/api/v1/tasks/actions', '{')).status).toBe(400);
  expect((await status(daemon, 'q1')).status).toBe('accepted');
});

test('the command line does it to all, says what would be done, and refuses to do it to everything by mistake', async () => {
  const daemon = await daemonWithTasks();
  const bulk = (...args: string[]) => execgo(['bulk', ...args], { daemon });
  const dry = await bulk('kill', '--queue', 'q', '--status', 'accepted', '--dry-run', '--owner', 'ann');
  expect([dry.code, dry.stderr, said(JSON.parse(dry.stdout))]).toEqual([
    0,
    '',
    ['q2 accepted', 'q1 accepted'],
  ]);
  const did = await bulk('kill', '--queue', 'q', '--status', 'accepted', '--reason', 'no');
  expect([did.code, said(JSON.parse(did.stdout))]).toEqual([1, ['q2 permission_denied', 'q1 cancelled']]);
  for (const [args, problem] of [
    [['kill'], 'give ids, or a condition'],
    [['kill', 'q2', '--queue', 'q'], 'give ids or conditions, not both'],
    [['stop', 'q2'], '"stop" is no action: it is one of kill, delete, pause, resume, edit, release, retry'],
    [['edit', 'q2', '--changes', '{'], '--changes is not valid JSON'],
  ] as const) {
    const wrong = await bulk(...args);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining(problem)]);
  }
  const typo = await bulk('kill', '--status', 'waiting');
  expect([typo.code, typo.stderr]).toEqual([1, expect.stringContaining('--status')]);
});

test('history older than a time or an age is deleted', async () => {
  const daemon = await startDaemon({ flags: ['--gc-interval-ms', '3600000'] });
  const pinned = { metadata: { 'execgo.pin': 'true' } };
  await submitAndWait(daemon, command('true', [], { task_id: 'pinned', ...pinned }));
  await submitAndWait(daemon, command('true', [], { task_id: 'a' }));
  const { finished_at } = await submitAndWait(daemon, command('true', [], { task_id: 'b' }));
  const { request } = http(daemon.url);
  const remove = async (query: string) => (await request('DELETE', `/api/v1/tasks?${query}`)).body;
  expect(await remove(`finished_before=2020-01-01T00:00:00Z`)).toMatchObject({ removed: 0, candidates: 0 });
  expect(await remove(`older_than_secs=3600`)).toMatchObject({ removed: 0 });
  expect(await remove(`older_than_ms=0&dry_run=true`)).toMatchObject({
    dry_run: true,
    candidates: 2,
    removed: 0,
  });
  for (const [query, problem] of [
    ['', 'finished_before: give it, or older_than_ms, or older_than_secs'],
    ['older_than_ms=1&older_than_secs=1', 'only one of them'],
    ['finished_before=9999-01-01T00:00:00Z', 'is in the future'],
    ['finished_before=now', 'finished_before: must be a time'],
    ['older_than_ms=-1', 'older_than_ms'],
  ]) {
    const answer = await request('DELETE', `/api/v1/tasks?${query}`);
    expect([answer.status, answer.body.error.message]).toEqual([400, expect.stringContaining(problem!)]);
  }
  const client = new ExecgoClient({ server: daemon.url });
  const now = new Date().toISOString();
  expect(now >= finished_at!).toBe(true);
  expect(await client.deleteHistory({ finished_before: now })).toMatchObject({
    removed: 2,
    skipped_pinned: 1,
  });
  client.close();
  const both = await execgo(['gc', '--before', '2026-01-01', '--older-than', '1d'], { daemon });
  expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('not both')]);
  const future = await execgo(['gc', '--before', '2999-01-01'], { daemon });
  expect(future.code).toBe(2);
  const done = await execgo(['gc', '--before', '1s', '--json'], { daemon });
  expect([done.code, JSON.parse(done.stdout)]).toMatchObject([0, { removed: 0 }]);
});
