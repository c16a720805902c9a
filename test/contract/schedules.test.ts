import { expect, test } from 'vitest';
import type { ScheduleView } from '../../src/task/schedules.js';
import type { TaskView } from '../../src/task/view.js';
import { command, type Daemon, http, startDaemon, submit, waitFor, waitForEnd } from '../harness/index.js';

const PATH = '/api/v1/schedules';
const TASK = command('true');
const make = (daemon: Daemon, body: object) => http(daemon.url).post(PATH, body);
const edit = (daemon: Daemon, name: string, body: unknown, headers: Record<string, string> = {}) =>
  http(daemon.url).request('PATCH', `${PATH}/${name}`, { body, headers });
const shown = async (daemon: Daemon, name: string) =>
  (await http(daemon.url).get<ScheduleView>(`${PATH}/${name}`)).body;
const outcomes = (view: ScheduleView) => view.runs.map(({ outcome }) => outcome);
/** Waits until its history, the oldest first, says what is wanted. */
const until = (daemon: Daemon, name: string, isThere: (view: ScheduleView) => boolean) =>
  waitFor(
    async () => {
      const view = await shown(daemon, name);
      return isThere(view) && view;
    },
    { what: `the history of ${name}` },
  );
const submitted = ({ runs }: ScheduleView) => runs.filter(({ outcome }) => outcome === 'submitted').reverse();
/** Ids of all tasks that a schedule has had. */
async function tasksOf(daemon: Daemon, name: string): Promise<string[]> {
  const { tasks } = (await http(daemon.url).get(`/api/v1/tasks?label=execgo.schedule=${name}&limit=1000`))
    .body;
  return tasks.map(({ task_id }: TaskView) => task_id).sort();
}

test('a schedule says when it is due, and each due time is submitted with its time as its name', async () => {
  const daemon = await startDaemon();
  const api = http(daemon.url);
  const nightly = { name: 'nightly', cron: '30 3 * * *', timezone: 'Europe/Berlin', task: TASK };
  const made = await make(daemon, nightly);
  expect([made.status, made.body]).toEqual([
    200,
    {
      ...nightly,
      version: expect.any(Number),
      ...{
        overlap: 'skip',
        catch_up: 'none',
        catch_up_max: 10,
        grace_ms: 60_000,
        jitter_ms: 0,
        paused: false,
      },
      created_at: expect.any(String),
      updated_at: made.body.created_at,
      next: expect.any(Array),
      running: [],
      runs: [],
    },
  ]);
  expect(made.body.next).toHaveLength(5);
  for (const at of made.body.next)
    expect(new Date(at).toLocaleTimeString('de', { timeZone: 'Europe/Berlin' })).toMatch(/^0?3:30:00$/);

  const tick = {
    name: 'tick',
    interval_ms: 1000,
    task: command('sh', ['-c', 'echo "$EXECGO_SCHEDULE $EXECGO_DUE_AT"']),
  };
  expect((await make(daemon, tick)).status).toBe(200);
  const view = await until(daemon, 'tick', (v) => submitted(v).length >= 2);
  await edit(daemon, 'tick', { paused: true });
  const [first, second] = submitted(view);
  expect(Date.parse(second!.due_at) - Date.parse(first!.due_at)).toBe(1000);
  expect(first!.task_id).toBe(`tick.${first!.due_at.replace(/[-:]/g, '').replace('.000Z', 'Z')}`);
  const task = await waitForEnd(daemon, first!.task_id!);
  expect(task).toMatchObject({
    ...{ status: 'success', stdout: `tick ${first!.due_at}\n` },
    labels: { 'execgo.schedule': 'tick', 'execgo.due': first!.due_at },
  });
  expect(Date.parse(task.created_at)).toBeGreaterThanOrEqual(Date.parse(first!.due_at));

  const page = (await api.get(`${PATH}?limit=1`)).body;
  expect(page.schedules).toMatchObject([{ name: 'nightly' }]);
  const rest = (await api.get(`${PATH}?limit=1&cursor=${page.next_cursor}`)).body;
  expect([rest.schedules[0].name, rest.schedules[0].runs.length, rest.next_cursor]).toEqual([
    'tick',
    1,
    undefined,
  ]);
});

test('over restarts and kills of the daemon each due time is submitted once', async () => {
  const daemon = await startDaemon();
  await make(daemon, {
    name: 's',
    interval_ms: 1000,
    task: TASK,
    overlap: 'queue',
    catch_up: 'all',
    catch_up_max: 100,
  });
  for (const end of ['stop', 'kill', 'stop'] as const) {
    const before = submitted(await shown(daemon, 's')).length;
    await until(daemon, 's', (v) => submitted(v).length > before);
    await daemon[end]();
    await daemon.restart();
  }
  await until(daemon, 's', (v) => submitted(v).length >= 8 && !outcomes(v).includes('waiting'));
  await edit(daemon, 's', { paused: true });
  const view = await until(daemon, 's', (v) => v.running.length === 0);
  // The answer shows the last ones, and those are without a gap.
  const due = submitted(view).map(({ due_at }) => Date.parse(due_at));
  expect(due).toEqual(due.map((_, i) => due[0]! + i * 1000));
  const ids = await tasksOf(daemon, 's');
  expect(ids.slice(-due.length)).toEqual(submitted(view).map(({ task_id }) => task_id));
});

test('due times that no daemon was there for are missed, and told in one line', async () => {
  const daemon = await startDaemon();
  await make(daemon, { name: 's', interval_ms: 1000, grace_ms: 1000, task: TASK });
  await until(daemon, 's', (v) => submitted(v).length >= 1);
  await daemon.stop();
  const downFrom = Date.now();
  await waitFor(() => Date.now() > downFrom + 4000, { what: 'some due times' });
  await daemon.restart();
  const view = await until(
    daemon,
    's',
    (v) => outcomes(v).includes('missed') && outcomes(v)[0] === 'submitted',
  );
  expect(view.runs.find(({ outcome }) => outcome === 'missed')).toMatchObject({
    count: expect.any(Number),
    detail: 'no daemon was there to submit it until 1.0s after it',
  });
  await edit(daemon, 's', { paused: true });
});

test('a task that has not ended: the due time is skipped, waits, or takes its place', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '9'] });
  const api = http(daemon.url);
  const task = command('sleep', ['600']);
  for (const overlap of ['skip', 'queue', 'replace'])
    await make(daemon, { name: overlap, interval_ms: 1000, overlap, task });
  const skip = await until(daemon, 'skip', (v) => outcomes(v).filter((o) => o === 'skipped').length >= 2);
  expect([submitted(skip).length, skip.running]).toEqual([1, [submitted(skip)[0]!.task_id]]);
  expect(skip.runs[0]!.detail).toBe(`task ${skip.running[0]!} has not ended`);

  const queue = await until(daemon, 'queue', (v) => outcomes(v).filter((o) => o === 'waiting').length >= 2);
  expect(submitted(queue)).toHaveLength(1);
  await edit(daemon, 'queue', { task: { execution: { program: 'true', args: [] } } });
  await api.post(`/api/v1/tasks/${queue.running[0]!}/kill`);
  const served = await until(daemon, 'queue', (v) => submitted(v).length >= 3);
  const order = submitted(served).map(({ due_at }) => due_at);
  expect(order).toEqual([...order].sort());
  const [one, two] = await Promise.all(
    submitted(served)
      .slice(1, 3)
      .map(({ task_id }) => waitForEnd(daemon, task_id!)),
  );
  expect(two!.created_at >= one!.finished_at!).toBe(true);

  const replace = await until(daemon, 'replace', (v) => submitted(v).length >= 3);
  const [first, second] = submitted(replace);
  const ended = await waitForEnd(daemon, first!.task_id!);
  expect(ended).toMatchObject({ status: 'cancelled', cause: 'cancelled' });
  const next = (await api.get(`/api/v1/tasks/${second!.task_id!}`)).body;
  // Never both at once.
  expect(next.created_at >= ended.finished_at!).toBe(true);
  for (const name of ['skip', 'queue', 'replace']) await api.delete(`${PATH}/${name}`);
});

test('a refused submit is told in the history, and the next due time is tried', async () => {
  const daemon = await startDaemon({ flags: ['--max-running-tasks', '1', '--max-queued-tasks', '1'] });
  const api = http(daemon.url);
  for (const task_id of ['busy', 'waits']) await submit(daemon, { task_id, ...command('sleep', ['600']) });
  await make(daemon, { name: 's', interval_ms: 1000, task: TASK });
  const view = await until(daemon, 's', (v) => v.runs.length >= 2);
  for (const run of view.runs)
    expect(run).toMatchObject({
      outcome: 'refused',
      error: {
        code: 'resource_limit_exceeded',
        message: 'queue is full',
        details: { bound: 'max_queued_tasks' },
      },
    });
  for (const id of ['waits', 'busy']) await api.post(`/api/v1/tasks/${id}/kill?wait_ms=60000`);
  await until(daemon, 's', (v) => submitted(v).length >= 1);
  await api.delete(`${PATH}/s`);
});

test('paused, none of its due times count; it can be run all the same, and goes on from its next one', async () => {
  const daemon = await startDaemon();
  const api = http(daemon.url);
  await make(daemon, { name: 's', interval_ms: 1000, task: TASK, paused: true, catch_up: 'all' });
  const paused = await shown(daemon, 's');
  expect([paused.paused, paused.next]).toEqual([true, []]);
  const run = await api.post(`${PATH}/s/run`);
  expect([run.status, run.body.status]).toEqual([200, 'accepted']);
  await waitForEnd(daemon, run.body.task_id);
  const from = Date.now();
  await waitFor(() => Date.now() > from + 2500, { what: 'some due times' });
  await daemon.restart();
  const again = await shown(daemon, 's');
  expect(again.runs).toMatchObject([
    { outcome: 'submitted', manual: true, task_id: run.body.task_id, status: 'success' },
  ]);
  const resumedAt = new Date().toISOString();
  const resumed = (await edit(daemon, 's', { paused: false, if_version: again.version })).body;
  expect([resumed.paused, resumed.next.length]).toEqual([false, 5]);
  const view = await until(daemon, 's', (v) => submitted(v).length >= 2);
  expect(submitted(view)[1]!.due_at >= resumedAt).toBe(true);
  await http(daemon.url).delete(`${PATH}/s`);
});

test('a change of its time counts from now, one of its task from its next due time; a deleted one does nothing', async () => {
  const daemon = await startDaemon();
  const api = http(daemon.url);
  const { version } = (await make(daemon, { name: 's', cron: '0 0 1 1 *', task: TASK })).body;
  const env = { task: { execution: { env: { A: '1' } } }, grace_ms: 5000 };
  const changed = (await edit(daemon, 's', env)).body;
  expect(changed).toMatchObject({
    cron: '0 0 1 1 *',
    grace_ms: 5000,
    task: { execution: { program: 'true', env: { A: '1' } } },
  });
  expect(changed.version).toBeGreaterThan(version);
  const late = await edit(daemon, 's', { if_version: version, overlap: 'queue' });
  expect([late.status, late.body.error]).toMatchObject([
    409,
    { code: 'conflict', details: { version: changed.version } },
  ]);
  // One of both takes the place of the other.
  const often = (await edit(daemon, 's', { interval_ms: 1000 })).body;
  expect([often.cron, often.timezone, often.interval_ms]).toEqual([undefined, undefined, 1000]);
  const view = await until(daemon, 's', (v) => submitted(v).length >= 1);
  const { task_id = '' } = submitted(view)[0]!;
  await waitForEnd(daemon, task_id);
  const back = (await edit(daemon, 's', { cron: '0 0 1 1 *', timezone: 'Asia/Tokyo' })).body;
  expect([back.interval_ms, back.timezone]).toEqual([undefined, 'Asia/Tokyo']);
  expect((await api.delete(`${PATH}/s`)).body).toEqual({ name: 's', deleted: true });
  expect((await api.delete(`${PATH}/s`)).status).toBe(404);
  expect((await api.get(`/api/v1/tasks/${task_id}`)).status).toBe(200);
  await daemon.restart();
  expect((await http(daemon.url).get(PATH)).body.schedules).toEqual([]);
  // The name is free again.
  expect((await make(daemon, { name: 's', cron: '0 0 1 1 *', task: TASK })).status).toBe(200);
  expect((await make(daemon, { name: 's', cron: '0 0 1 1 *', task: TASK })).body.error).toEqual({
    ...{ code: 'conflict', message: 'schedule already exists: s', details: { schedule: 's' } },
  });
});

test('what makes no sense is refused when the schedule is made or changed', async () => {
  const daemon = await startDaemon({ flags: ['--capacity-memory-bytes', '1000000'] });
  const api = http(daemon.url);
  const good = { name: 'good', cron: '0 3 * * *', task: TASK };
  const wrong: [change: object, status: number, words: string][] = [
    [{ name: undefined }, 400, 'name: '],
    [{ name: '' }, 400, 'name: must be 1 to 64 letters'],
    [{ name: '../x' }, 400, 'name: must be 1 to 64 letters'],
    [{ name: '.hidden' }, 400, 'name: must be 1 to 64 letters'],
    [{ name: 'x'.repeat(65) }, 400, 'name: must be 1 to 64 letters'],
    [{ cron: undefined }, 400, 'cron: is required, or interval_ms'],
    [{ interval_ms: 5000 }, 400, 'interval_ms: cannot be given together with cron'],
    [{ cron: '61 * * * *' }, 400, 'cron: Invalid value for minute'],
    [{ cron: 5 }, 400, 'cron: '],
    [{ cron: '0 0 30 2 *' }, 400, 'cron: there is no such time'],
    [{ cron: `${'0,'.repeat(200)}0 3 * * *` }, 400, 'cron: must have at most 200 characters'],
    [{ timezone: 'Nowhere/X' }, 400, 'timezone: "Nowhere/X" is not the name of a time zone'],
    [{ cron: undefined, interval_ms: 999 }, 400, 'interval_ms: must be at least 1000'],
    [{ cron: undefined, interval_ms: 1e15 }, 400, 'interval_ms: must be at most'],
    [{ cron: undefined, interval_ms: 1000, timezone: 'UTC' }, 400, 'timezone: goes with cron'],
    [
      { cron: undefined, interval_ms: 1000, jitter_ms: 1000 },
      400,
      'jitter_ms: must be less than interval_ms',
    ],
    [{ overlap: 'both' }, 400, 'overlap: '],
    [{ catch_up: 'some' }, 400, 'catch_up: '],
    [{ catch_up_max: 0 }, 400, 'catch_up_max: must be at least 1'],
    [{ catch_up_max: 101 }, 400, 'catch_up_max: must be at most 100'],
    [{ grace_ms: 10 }, 400, 'grace_ms: must be at least 1000'],
    [{ jitter_ms: -1 }, 400, 'jitter_ms: must be at least 0'],
    [{ paused: 'no' }, 400, 'paused: '],
    [{ every: '10m' }, 400, 'body: has no field "every"'],
    [{ task: undefined }, 400, 'task: '],
    [{ task: { execution: { kind: 'command' } } }, 400, 'task.execution.program: is required'],
    [{ task: { ...TASK, task_id: 'x' } }, 400, 'task.task_id: must be absent'],
    [
      { task: { ...TASK, control_context: { idempotency_key: 'k' } } },
      400,
      'task.control_context.idempotency_key: ',
    ],
    [
      { task: { ...TASK, policy: { start_at: '2127-01-01T00:00:00Z' } } },
      400,
      'task.policy.start_at: must be absent',
    ],
    [{ task: { ...TASK, limits: { memory_bytes: 2_000_000 } } }, 400, 'insufficient resources: memory_bytes'],
    [{ task: { ...TASK, policy: { demands: { tags: ['gpu'] } } } }, 400, 'unsupported capability: '],
  ];
  await make(daemon, { ...good, name: 'there', ...{ task: { ...TASK, control_context: { owner: 'me' } } } });
  const before = await shown(daemon, 'there');
  for (const [change, status, words] of wrong) {
    const answer = await make(daemon, { ...good, ...change });
    expect([answer.status, answer.body.error.message], JSON.stringify(change)).toEqual([
      status,
      expect.stringContaining(words),
    ]);
    const { name: _name, ...rest } = change as { name?: string };
    const isChange = Object.values(rest).some((value) => value !== undefined);
    // What a change does not say stays.
    if (isChange && !('interval_ms' in rest) && !words.includes('is required')) {
      const refused = await edit(daemon, 'there', rest, { 'x-execgo-owner': 'me' });
      expect([refused.status, refused.body.error.message], JSON.stringify(rest)).toEqual([
        status,
        expect.stringContaining(words),
      ]);
    }
  }
  expect((await api.get(PATH)).body.schedules.map(({ name }: ScheduleView) => name)).toEqual(['there']);
  expect(await shown(daemon, 'there')).toEqual(before);
  // Whoever alone may cancel its tasks may alone change, run and delete it.
  for (const answer of [
    await edit(daemon, 'there', { paused: true }),
    await edit(daemon, 'there', { paused: true }, { 'x-execgo-owner': 'you' }),
    await api.post(`${PATH}/there/run`),
    await api.delete(`${PATH}/there`),
  ])
    expect([answer.status, answer.body.error.code]).toEqual([403, 'permission_denied']);
  for (const answer of [
    await api.get(`${PATH}/nobody`),
    await edit(daemon, 'nobody', { paused: true }),
    await api.post(`${PATH}/nobody/run`),
    await api.delete(`${PATH}/nobody`),
  ])
    expect([answer.status, answer.body.error]).toEqual([
      404,
      { code: 'not_found', message: 'schedule not found: nobody', details: { schedule: 'nobody' } },
    ]);
  expect((await api.get(`${PATH}?cursor=%00`)).status).toBe(400);
  expect((await api.get(`${PATH}?limit=201`)).status).toBe(400);
  expect((await edit(daemon, 'there', '{', { 'x-execgo-owner': 'me' })).status).toBe(400);
  expect((await api.request('PUT', `${PATH}/there`, { body: {} })).status).toBe(405);
});
