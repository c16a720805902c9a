import { expect, test } from 'vitest';
import type { TaskView } from '../../src/task/view.js';
import { execgo } from '../cli/execgo.js';
import {
  command,
  type Daemon,
  eventTypes,
  http,
  startDaemon,
  submit,
  submitAndWait,
  waitFor,
  waitForEnd,
} from '../harness/index.js';

const ONE_SLOT = ['--max-running-tasks', '1'];
const DAY_MS = 86_400_000;
const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();
const status = async (daemon: Daemon, id: string) =>
  (await http(daemon.url).get<TaskView>(`/api/v1/tasks/${id}`)).body;
const patch = (daemon: Daemon, id: string, body: unknown) =>
  http(daemon.url).request('PATCH', `/api/v1/tasks/${id}`, { body });
const release = (daemon: Daemon, id: string, headers: Record<string, string> = {}) =>
  http(daemon.url).request('POST', `/api/v1/tasks/${id}/release`, { headers });
const time = expect.stringMatching(/Z$/) as string;

test('a task waits for its time, holds nothing and nobody up meanwhile, and says so', async () => {
  const daemon = await startDaemon({ flags: ONE_SLOT });
  const start_at = inMs(DAY_MS);
  const more = { policy: { start_at, priority: 1_000_000 }, limits: { queue_timeout_ms: 1 } };
  await submit(daemon, { task_id: 'later', ...command('true', [], more) });
  const since = (await status(daemon, 'later')).created_at;
  expect(await status(daemon, 'later')).toMatchObject({
    ...{ status: 'accepted', start_at },
    waiting: {
      ...{ reason: 'start_at', until: start_at, since },
      detail: expect.stringMatching(`^does not start before ${start_at}, which is in 23h59m$`),
    },
  });
  expect((await status(daemon, 'later')).waiting).not.toHaveProperty('position');
  expect(await submitAndWait(daemon, command('true'))).toMatchObject({ status: 'success' });
  const api = http(daemon.url);
  expect((await api.get('/api/v1/tasks?status=accepted')).body.tasks).toMatchObject([
    { task_id: 'later', start_at, waiting: { reason: 'start_at', until: start_at } },
  ]);
  expect((await api.get('/api/v1/runtime/resources')).body).toMatchObject({
    reserved: { task_slots: 0 },
    accepted_waiting_tasks: 1,
  });
  const { stdout } = await execgo(['explain', 'later'], { server: daemon.url });
  expect(stdout.toString()).toMatch(
    /^later has waited for .*: start_at\ndoes not start before .*Z, which is in/,
  );

  expect((await patch(daemon, 'later', { policy: { start_at: null } })).status).toBe(200);
  const end = await waitForEnd(daemon, 'later');
  // Nothing else runs, so that it starts at once; how long it may wait counts from then.
  expect(end.status).toBe('success');
  expect(end).not.toHaveProperty('start_at');
});

test('a task starts by itself when its time has come, also after a restart', async () => {
  const daemon = await startDaemon({ flags: ONE_SLOT });
  const [soon, later] = [inMs(1000), inMs(3000)];
  await submit(daemon, { task_id: 'soon', ...command('true', [], { policy: { start_at: soon } }) });
  await submit(daemon, { task_id: 'later', ...command('true', [], { policy: { start_at: later } }) });
  const first = await waitForEnd(daemon, 'soon');
  expect(first.started_at! >= soon).toBe(true);
  await daemon.restart();
  const second = await waitForEnd(daemon, 'later');
  expect([second.status, second.started_at! >= later]).toEqual(['success', true]);
  // A time that has passed before the submit is none.
  expect(await submitAndWait(daemon, command('true', [], { policy: { start_at: soon } }))).toMatchObject({
    ...{ status: 'success', start_at: soon },
  });
});

test('a held task starts when it is released, by either way, and keeps being held over a restart', async () => {
  const daemon = await startDaemon({ flags: ONE_SLOT });
  const held = { policy: { hold: true } };
  for (const task_id of ['a', 'b', 'c']) await submit(daemon, { task_id, ...command('true', [], held) });
  expect(await submitAndWait(daemon, command('true'))).toMatchObject({ status: 'success' });
  await daemon.restart();
  const { created_at } = await status(daemon, 'a');
  expect(await status(daemon, 'a')).toMatchObject({
    ...{ status: 'accepted', held: true },
    waiting: { reason: 'held', detail: 'is held until it is released', since: created_at },
  });
  const released = await release(daemon, 'a');
  expect([released.status, released.body.task_id]).toEqual([200, 'a']);
  expect(released.body).not.toHaveProperty('held');
  expect((await patch(daemon, 'b', { policy: { hold: false } })).status).toBe(200);
  const cli = await execgo(['release', 'c'], { server: daemon.url });
  expect([cli.code, JSON.parse(cli.stdout.toString()).task_id]).toEqual([0, 'c']);
  for (const id of ['a', 'b', 'c']) expect(await waitForEnd(daemon, id)).toMatchObject({ status: 'success' });
  expect((await eventTypes(daemon, 'a')).filter((type) => type === 'edited')).toHaveLength(1);
});

test('a hold and a start time hold both, and either can be given and taken while it waits', async () => {
  const daemon = await startDaemon({ flags: ONE_SLOT });
  await submit(daemon, { task_id: 'busy', ...command('sleep', ['600']) });
  await submit(daemon, { task_id: 't', ...command('true') });
  const [day, week] = [inMs(DAY_MS), inMs(7 * DAY_MS)];
  const both = (await patch(daemon, 't', { policy: { hold: true, start_at: day } })).body;
  expect(both.waiting).toEqual({
    ...{ reason: 'held', until: day, since: time },
    detail: `is held until it is released, and does not start before ${day}, which is in 23h59m`,
  });
  expect((await release(daemon, 't')).body.waiting).toMatchObject({ reason: 'start_at', until: day });
  expect((await patch(daemon, 't', { policy: { start_at: week } })).body.waiting).toMatchObject({
    detail: expect.stringContaining('in 6d23h'),
  });
  const free = (await patch(daemon, 't', { policy: { start_at: null } })).body;
  expect(free.waiting).toMatchObject({ reason: 'capacity', position: 1 });
  // Released before: it changes nothing.
  expect((await release(daemon, 't')).body.version).toBe(free.version);
});

test('a task that waits for its time can be killed', async () => {
  const daemon = await startDaemon({ flags: ONE_SLOT });
  for (const policy of [{ hold: true }, { start_at: inMs(DAY_MS) }]) {
    const id = await submit(daemon, command('true', [], { policy }));
    expect((await http(daemon.url).post(`/api/v1/tasks/${id}/kill`)).body).toMatchObject({
      ...{ status: 'cancelled', cause: 'cancelled' },
      error: { message: 'task cancelled before execution' },
    });
    expect((await release(daemon, id)).status).toBe(409);
    expect(await eventTypes(daemon, id)).toEqual(expect.arrayContaining(['kill_requested', 'cancelled']));
  }
  expect((await http(daemon.url).get('/api/v1/runtime/resources')).body.accepted_waiting_tasks).toBe(0);
});

test('how long a task may wait counts from when it may start', async () => {
  const daemon = await startDaemon({ flags: ONE_SLOT });
  await submit(daemon, { task_id: 'busy', ...command('sleep', ['600']) });
  const limits = { queue_timeout_ms: 500 };
  const start_at = inMs(1500);
  await submit(daemon, { task_id: 'timed', ...command('true', [], { limits, policy: { start_at } }) });
  await submit(daemon, { task_id: 'held', ...command('true', [], { limits, policy: { hold: true } }) });
  const timed = await waitForEnd(daemon, 'timed');
  expect(timed).toMatchObject({ status: 'failed', cause: 'queue_timeout' });
  expect(Date.parse(timed.finished_at!)).toBeGreaterThanOrEqual(Date.parse(start_at) + 499);
  // The held one has waited for longer by now.
  expect(await status(daemon, 'held')).toMatchObject({ waiting: { reason: 'held' } });
  await daemon.restart();
  const released = (await release(daemon, 'held')).body;
  const late = await waitForEnd(daemon, 'held');
  expect(late).toMatchObject({ status: 'failed', cause: 'queue_timeout' });
  expect(Date.parse(late.finished_at!)).toBeGreaterThanOrEqual(Date.parse(released.updated_at) + 499);
});

test('a time thousands of years away is waited for, without a word in the log', async () => {
  const daemon = await startDaemon({ flags: ONE_SLOT });
  const start_at = '9999-12-31T23:59:59.999Z';
  await submit(daemon, { task_id: 'far', ...command('true', [], { policy: { start_at } }) });
  await submit(daemon, { task_id: 'near', ...command('true', [], { policy: { start_at: inMs(1500) } }) });
  expect(await waitForEnd(daemon, 'near')).toMatchObject({ status: 'success' });
  expect(await status(daemon, 'far')).toMatchObject({
    waiting: { reason: 'start_at', detail: expect.stringMatching(/in \d{7}d\d+h$/) },
  });
  expect(JSON.stringify(daemon.logs())).not.toContain('TimeoutOverflow');
});

test('those that wait for their time have a bound of their own, and keep nobody out', async () => {
  const daemon = await startDaemon({ flags: [...ONE_SLOT, '--max-queued-tasks', '2'] });
  const api = http(daemon.url);
  const held = command('true', [], { policy: { hold: true } });
  for (const task_id of ['h1', 'h2']) await submit(daemon, { task_id, ...held });
  const third = await api.post('/api/v1/tasks', held);
  expect([third.status, third.body.error.details]).toEqual([429, { bound: 'max_queued_tasks', limit: 2 }]);
  await submit(daemon, { task_id: 'busy', ...command('sleep', ['600']) });
  for (const task_id of ['w1', 'w2']) await submit(daemon, { task_id, ...command('true') });
  expect((await api.post('/api/v1/tasks', command('true'))).status).toBe(429);
  // What was accepted once is let into a full queue; what waits in it is not put aside into a full room.
  expect((await patch(daemon, 'w1', { policy: { hold: true } })).status).toBe(429);
  expect((await release(daemon, 'h1')).body.waiting).toMatchObject({ reason: 'capacity', position: 3 });
  expect((await patch(daemon, 'w1', { policy: { hold: true } })).status).toBe(200);
});

test('a start time and a hold that make no sense are refused', async () => {
  const daemon = await startDaemon({ flags: ONE_SLOT });
  const api = http(daemon.url);
  const wrong: [policy: object, field: string][] = [
    [{ start_at: 'tomorrow' }, 'policy.start_at'],
    [{ start_at: '2027-02-30T00:00:00Z' }, 'policy.start_at'],
    [{ start_at: '2027-03-01T10:00:00' }, 'policy.start_at'],
    [{ start_at: '2027-03-01' }, 'policy.start_at'],
    [{ start_at: '12027-03-01T10:00:00Z' }, 'policy.start_at'],
    [{ start_at: 1_900_000_000_000 }, 'policy.start_at'],
    [{ start_at: '' }, 'policy.start_at'],
    [{ hold: 'yes' }, 'policy.hold'],
    [{ hold: 1 }, 'policy.hold'],
  ];
  await submit(daemon, { task_id: 'held', ...command('true', [], { policy: { hold: true } }) });
  for (const [policy, field] of wrong)
    for (const answer of [
      await api.post('/api/v1/tasks', command('true', [], { policy })),
      await patch(daemon, 'held', { policy }),
    ])
      expect([answer.status, answer.body.error.message], JSON.stringify(policy)).toEqual([
        400,
        expect.stringMatching(`^invalid input: ${field}: `),
      ]);
  // Any zone is understood, and told in UTC.
  const zoned = await patch(daemon, 'held', { policy: { start_at: '2127-03-01T10:00:00+02:00' } });
  expect(zoned.body).toMatchObject({ start_at: '2127-03-01T08:00:00.000Z' });

  expect((await release(daemon, 'nobody')).status).toBe(404);
  await submit(daemon, {
    task_id: 'owned',
    ...command('sleep', ['600'], { policy: { hold: true }, control_context: { owner: 'me' } }),
  });
  expect((await release(daemon, 'owned')).status).toBe(403);
  expect((await release(daemon, 'owned', { 'x-execgo-owner': 'me' })).status).toBe(200);
  await waitFor(async () => (await status(daemon, 'owned')).pid !== undefined, { what: 'the start' });
  const running = await release(daemon, 'owned', { 'x-execgo-owner': 'me' });
  expect([running.status, running.body.error.message]).toEqual([
    409,
    'task owned is running: only one that waits can be changed',
  ]);
});

test('the command line says times in the ways that people say them', async () => {
  const daemon = await startDaemon({ flags: ONE_SLOT });
  const cli = (...args: string[]) => execgo(args, { server: daemon.url, env: { TZ: 'Europe/Berlin' } });
  const submitted = async (...flags: string[]) => {
    const { code, stdout, stderr } = await cli('submit', ...flags, '--', 'true');
    expect([code, stderr]).toEqual([0, '']);
    return status(daemon, stdout.toString().trim());
  };
  expect(await submitted('--at', '2127-07-01 18:00')).toMatchObject({ start_at: '2127-07-01T16:00:00.000Z' });
  expect(await submitted('--at', '2127-07-01T18:00:00Z')).toMatchObject({
    start_at: '2127-07-01T18:00:00.000Z',
  });
  const before = Date.now();
  const { start_at } = await submitted('--in', '10m');
  expect(Date.parse(start_at!)).toBeGreaterThanOrEqual(before + 600_000);
  expect(await submitted('--hold')).toMatchObject({ held: true, waiting: { reason: 'held' } });
  for (const [flags, words] of [
    [['--at', 'soon'], '"soon" is not a time: write 18:30'],
    [['--at', '2127-02-30'], '"2127-02-30" is not a time'],
    [['--in', '10'], '"10" is not a duration'],
    [['--at', '18:30', '--in', '5m'], "option '--at <time>' cannot be used with option '--in <duration>'"],
    [['--in', '9000000d'], '--in: that is after the year 9999'],
  ] as const) {
    const { code, stderr } = await cli('submit', ...flags, '--', 'true');
    expect([code, stderr]).toEqual([2, expect.stringContaining(words)]);
  }
  const held = await submitted('--hold', '--at', '2127-07-01');
  const edited = await cli('edit', held.task_id, '--at', 'now', '--no-hold');
  expect([edited.code, edited.stderr]).toEqual([0, '']);
  expect(await waitForEnd(daemon, held.task_id)).toMatchObject({ status: 'success' });
  expect((await cli('release', held.task_id)).code).toBe(1);
});

/** A task that fails at first and is tried again, in its back-off. */
async function backingOff(daemon: Daemon, task_id: string, backoff_ms: number, more: object = {}) {
  const policy = { retry: { max_attempts: 2, backoff_ms } };
  await submit(daemon, {
    task_id,
    ...command('sh', ['-c', '[ "$EXECGO_ATTEMPT" = 2 ]'], { policy, ...more }),
  });
  return waitFor(
    async () => {
      const task = await status(daemon, task_id);
      return task.waiting !== undefined && task.attempt === 1 ? task : undefined;
    },
    { what: 'the back-off' },
  );
}

test('a task with a start time is tried again, and the time that has passed is none for that', async () => {
  const daemon = await startDaemon({ flags: ONE_SLOT });
  const start_at = inMs(1000);
  const policy = { start_at, retry: { max_attempts: 3, backoff_ms: 100 } };
  const id = await submit(daemon, command('sh', ['-c', '[ "$EXECGO_ATTEMPT" = 3 ]'], { policy }));
  const end = await waitForEnd(daemon, id);
  expect(end).toMatchObject({ status: 'success', attempt: 3, start_at });
  expect(end.attempts![0]!.started_at! >= start_at).toBe(true);
});

test('a hold and a start time that are given during a back-off hold beside it', async () => {
  const daemon = await startDaemon({ flags: ONE_SLOT });
  const { waiting } = await backingOff(daemon, 't', DAY_MS);
  const until = Date.parse(waiting!.until!);
  /** The end of the back-off is told by another clock: it may differ in its last digits. */
  const expectBackOff = (found: TaskView, reason = 'retry_backoff') => {
    expect(found.waiting).toMatchObject({ reason, since: waiting!.since });
    expect(Math.abs(Date.parse(found.waiting!.until!) - until)).toBeLessThan(60_000);
  };
  const changed = async (policy: object) => (await patch(daemon, 't', { policy })).body as TaskView;
  const held = await changed({ hold: true });
  expectBackOff(held, 'held');
  expect(held.waiting!.detail).toMatch(
    /^is held until it is released, and does not start before .* in 23h59m$/,
  );
  const { stdout } = await execgo(['explain', 't'], { server: daemon.url });
  expect(stdout.toString()).not.toContain('the next attempt is due');
  await daemon.restart();
  expectBackOff(await status(daemon, 't'), 'held');
  // A release takes the hold away, and shortens no back-off; a start time before its end does not either.
  expectBackOff((await release(daemon, 't')).body as TaskView);
  expectBackOff((await release(daemon, 't')).body as TaskView);
  expectBackOff(await changed({ start_at: inMs(3_600_000) }));
  expectBackOff(await changed({ priority: 3 }));
  const week = inMs(7 * DAY_MS);
  expect((await changed({ start_at: week })).waiting).toMatchObject({ reason: 'start_at', until: week });
  await daemon.restart();
  expect((await status(daemon, 't')).waiting).toMatchObject({ reason: 'start_at', until: week });
  expectBackOff(await changed({ start_at: null }));
  expect((await http(daemon.url).post('/api/v1/tasks/t/kill')).body).toMatchObject({ status: 'cancelled' });
});

test('a task that is held over the end of its back-off starts when it is released', async () => {
  const daemon = await startDaemon({ flags: ONE_SLOT });
  await backingOff(daemon, 'short', 1000);
  expect((await patch(daemon, 'short', { policy: { hold: true } })).body.attempt).toBe(1);
  await waitFor(async () => (await status(daemon, 'short')).waiting?.until === undefined, {
    what: 'the end of the back-off',
  });
  expect((await status(daemon, 'short')).waiting).toMatchObject({
    ...{ reason: 'held', detail: 'is held until it is released' },
  });
  await daemon.restart();
  expect((await status(daemon, 'short')).waiting).toMatchObject({ reason: 'held' });
  await release(daemon, 'short');
  expect(await waitForEnd(daemon, 'short')).toMatchObject({ status: 'success', attempt: 2 });
});

test('how long a task may wait counts from the end of its back-off, also over a restart', async () => {
  const daemon = await startDaemon({ flags: ONE_SLOT });
  const limits = { queue_timeout_ms: 1500 };
  const { waiting } = await backingOff(daemon, 't', 3000, { limits });
  await submit(daemon, { task_id: 'busy', ...command('sleep', ['600']) });
  // The whole wait is longer than what it may be.
  await waitFor(async () => (await status(daemon, 't')).waiting?.reason === 'capacity', {
    what: 'the queue',
  });
  expect(Date.parse((await status(daemon, 't')).waiting!.since)).toBeGreaterThanOrEqual(
    Date.parse(waiting!.until!) - 100,
  );
  await daemon.restart();
  const end = await waitForEnd(daemon, 't');
  expect(end).toMatchObject({ status: 'failed', cause: 'queue_timeout' });
  expect(Date.parse(end.finished_at!)).toBeGreaterThanOrEqual(Date.parse(waiting!.until!) + 1400);
});
