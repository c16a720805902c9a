import { describe, expect, test } from 'vitest';
import type { LiveRecord, Retry, TaskEnd } from '../../src/store/records.js';
import type { Store } from '../../src/store/store.js';
import { ENDED_STATE, LIVE_STATE, stateRow } from '../../src/store/tasks/task-row.js';
import { CHANGES, isLegal, TASK_STATUSES, type Change, type TaskStatus } from '../../src/task/states.js';
import {
  CANCELLED,
  dispatch,
  events,
  FAILED,
  insert,
  NOW,
  openedStore,
  running,
  runThrough,
  start,
  SUCCESS,
  waiting,
} from './support.js';

const ENDS: Record<string, TaskEnd> = { success: SUCCESS, failed: FAILED, cancelled: CANCELLED };

/** Brings a new task into a status; what it came to is its launch id, 0 without one. */
async function inStatus(store: Store, status: TaskStatus): Promise<number> {
  await insert(store, 't');
  if (status === 'accepted') return 0;
  const launch_id = (await dispatch(store, 't'))!;
  if (status === 'running') return launch_id;
  await store.commits.write(() =>
    store.changes.end(running(store, 't', launch_id), { ...ENDS[status]!, released_at_ms: NOW + 51 }),
  );
  return launch_id;
}

/** What is written when the task's first attempt is to be followed by another. */
function retryOf(store: Store, more: Partial<Retry> = {}): Retry {
  const { request, plan, reservation } = store.tasks.get('t')!;
  return {
    ended: {
      ...{ attempt: 1, cause: 'exit', exit_code: 3, started_at_ms: NOW + 20, finished_at_ms: NOW + 50 },
      ...{ stdout_bytes: 3, stderr_bytes: 0, usage: { duration_ms: 30, user_cpu_ms: 5 } },
      error: { code: 'exit_nonzero', message: 'task exited with code 3' },
      warnings: ['stdout: 2 of 3 bytes are kept'],
    },
    ...{ request, plan: plan!, reservation: reservation!, eligible_ms: 1000, at_ms: NOW + 51 },
    events: events('resource_released', 'attempt_failed', 'retry_scheduled'),
    ...more,
  };
}

const leads = (from: TaskStatus, to: TaskStatus) =>
  from !== to && Object.keys(CHANGES).some((change) => isLegal(change as Change, from, to));

/** Tries the change; undefined when it was refused, by zero rows or by an error. */
function change(store: Store, launch_id: number, from: TaskStatus, to: TaskStatus): Promise<unknown> {
  if (to === 'running') return dispatch(store, 't');
  if (to === 'accepted' && from === 'running')
    return store.commits.write(() => store.changes.retry(running(store, 't', launch_id), retryOf(store)));
  if (to === 'accepted') return insert(store, 't').catch(() => undefined);
  const end = { ...ENDS[to]!, released_at_ms: from === 'accepted' ? undefined : NOW + 51 };
  const task = from === 'accepted' ? waiting(store, 't') : running(store, 't', launch_id);
  return store.commits.write(() => store.changes.end(task, end)).catch(() => undefined);
}

test('each value of a row is under the name of its column', () => {
  for (const names of [LIVE_STATE, ENDED_STATE].map((columns) => columns.split(', ')))
    expect(Object.entries(stateRow(names)).filter(([, value]) => value !== undefined)).toEqual(
      names.map((name) => [name, name]),
    );
  expect(Object.keys(stateRow([]))).toEqual(ENDED_STATE.split(', '));
});

test('an end writes a start that was not written, and no other a second time', async () => {
  const store = openedStore();
  const end = { ...SUCCESS, started_at_ms: NOW + 2, pid: 41 };
  const history = (id: string) => store.events.ofTask(id, 0, undefined).map(({ event_type }) => event_type);
  const finish = (id: string, launch: number) =>
    store.changes.end(running(store, id, launch), end, events('started'));
  const [short, long] = ['short', 'long'];
  for (const id of [short, long]) await insert(store, id);
  const [first, second] = [(await dispatch(store, short))!, (await dispatch(store, long))!];
  await store.commits.write(() => {
    const before = running(store, long, second);
    // In the same transaction: who writes the end may not know of it yet.
    store.changes.start(before, {
      ...{ pid: 42, pgid: 42, start_ticks: 9, started_at_ms: NOW + 1, events: events('started') },
    });
    expect(store.changes.end(before, end, events('started'))).toMatchObject({
      task: { process: { pid: 42, started_at_ms: NOW + 1 } },
    });
    expect(finish(short, first)).toMatchObject({ task: { process: { pid: 41, started_at_ms: NOW + 2 } } });
    expect(finish(short, first)).toBeUndefined();
  });
  for (const id of [short, long])
    expect(history(id).slice(-4)).toEqual(['resource_reserved', 'started', 'resource_released', 'finished']);
});

describe('state changes', () => {
  for (const from of TASK_STATUSES)
    for (const to of TASK_STATUSES)
      test(`${from} → ${to} is ${leads(from, to) ? 'made' : 'refused'}`, async () => {
        const store = openedStore();
        const launch_id = await inStatus(store, from);
        const before = [store.tasks.get('t'), store.events.last, store.counters.read()];
        const done = await change(store, launch_id, from, to);
        if (leads(from, to)) {
          expect(done).toBeDefined();
          expect(store.tasks.get('t')?.status).toBe(to);
          expect(store.events.last).toBeGreaterThan(before[1] as number);
          expect(store.counters.read().entered[to]).toBe(to === 'accepted' ? 2 : 1);
        } else {
          expect(done).toBeUndefined();
          expect([store.tasks.get('t'), store.events.last, store.counters.read()]).toEqual(before);
          expect(store.events.ofTask('t', 0, undefined)).toHaveLength(store.events.last);
        }
      });

  test('a whole life leaves every field and every event in order', async () => {
    const store = openedStore();
    await runThrough(store, 't');
    expect(store.tasks.get('t')).toMatchObject({
      status: 'success',
      cause: 'exit',
      created_at_ms: NOW,
      updated_at_ms: NOW + 50,
      finished_at_ms: NOW + 50,
      duration_ms: 48,
      process: { started_at_ms: NOW + 2, pid: 41, pgid: 41, start_ticks: 99 },
      exit_code: 0,
      exit_signal: undefined,
      error: undefined,
      usage: { duration_ms: 48 },
      stdout_bytes: 3,
      attempt: { launch_id: 1, launch_token: 't', incarnation: 'i', shim_pid: 7 },
      submit_seq: 1,
    });
    const types = 'submitted accepted planned resource_reserved started resource_released finished'.split(
      ' ',
    );
    expect(store.events.ofTask('t', 0, undefined).map((e) => [e.seq, e.event_type])).toEqual(
      types.map((type, i) => [i + 1, type]),
    );
    expect(store.events.ofTask('t', 2, 2).map((e) => e.seq)).toEqual([3, 4]);
    expect(store.events.ofAll(5, 10).map((e) => e.seq)).toEqual([6, 7]);
  });

  test('what was never told comes with the end', async () => {
    const store = openedStore();
    await insert(store, 't');
    const launch_id = (await dispatch(store, 't'))!;
    const end = { ...SUCCESS, started_at_ms: NOW + 3, pid: 5 };
    const ended = await store.commits.write(() => store.changes.end(running(store, 't', launch_id), end));
    expect(ended?.task.process).toMatchObject({ started_at_ms: NOW + 3, pid: 5, pgid: 5 });
    expect(store.tasks.get('t')).toEqual(ended?.task);
  });

  test('only the attempt that runs may start, time out or end', async () => {
    const store = openedStore();
    await insert(store, 't');
    const first = (await dispatch(store, 't'))!;
    const launch = { launch_token: 'u', incarnation: 'j', shim_pid: 8, at_ms: NOW + 1 };
    const second = await store.commits.write(() => {
      const launch_id = store.attemptIds.next();
      expect(store.changes.relaunch(running(store, 't', first), { ...launch, launch_id })).toBeDefined();
      expect(store.changes.relaunch(running(store, 't', first), { ...launch, launch_id })).toBeUndefined();
      return launch_id;
    });
    expect(await start(store, 't', first)).toBeUndefined();
    expect((await start(store, 't', second))?.events).toHaveLength(1);
    expect(await start(store, 't', second)).toBeUndefined();
    const third = { ...launch, launch_id: 77 };
    const begun = running(store, 't', second);
    expect(await store.commits.write(() => store.changes.relaunch(begun, third))).toBeUndefined();
    const timeout = (id: number) =>
      store.commits.write(() =>
        store.changes.timedOut(running(store, 't', id), NOW + 4, events('timeout_triggered')),
      );
    expect(await timeout(first)).toBeUndefined();
    expect((await timeout(second))?.events).toHaveLength(1);
    expect(await timeout(second)).toBeUndefined();
    const end = (launch_id: number | null) =>
      store.commits.write(() => store.changes.end(running(store, 't', launch_id), SUCCESS));
    expect(await end(first)).toBeUndefined();
    expect(await end(null)).toBeUndefined();
    const ended = await end(second);
    expect(ended?.events).toHaveLength(2);
    expect(ended?.task.attempt).toMatchObject({ incarnation: 'j', launch_token: 'u' });
  });

  test('a kill is recorded once, and only in the status that it names', async () => {
    const store = openedStore();
    await insert(store, 't');
    const kill = (task: LiveRecord) =>
      store.commits.write(() =>
        store.changes.killRequested(task, NOW + 9, undefined, events('kill_requested')),
      );
    expect(await kill(running(store, 't', null))).toBeUndefined();
    expect((await kill(waiting(store, 't')))?.events).toHaveLength(1);
    expect(await kill(waiting(store, 't'))).toBeUndefined();
    expect(store.tasks.get('t')).toMatchObject({ kill_requested_at_ms: NOW + 9 });
  });

  test('a running task that keeps its reservation cannot end', async () => {
    const store = openedStore();
    await insert(store, 't');
    const launch_id = (await dispatch(store, 't'))!;
    const end = { ...SUCCESS, released_at_ms: undefined };
    await expect(
      store.commits.write(() => store.changes.end(running(store, 't', launch_id), end)),
    ).rejects.toThrow('only_running_holds');
    expect(store.tasks.get('t')?.status).toBe('running');
  });

  test('live tasks come in the order of submission', async () => {
    const store = openedStore();
    for (const id of ['c', 'a', 'd', 'b']) await insert(store, id);
    await dispatch(store, 'a');
    await store.commits.write(() => store.changes.end(waiting(store, 'd'), CANCELLED));
    expect(store.tasks.live().map((t) => t.task_id)).toEqual(['c', 'a', 'b']);
  });

  test('only a terminal task is deleted, with its events, and seqs are not used again', async () => {
    const store = openedStore();
    await insert(store, 'waits');
    await runThrough(store, 'ended');
    const last = store.events.last;
    const remove = (id: string) => store.commits.write(() => store.changes.delete(id));
    expect(await remove('waits')).toBe(false);
    expect(await remove('unknown')).toBe(false);
    expect(await remove('ended')).toBe(true);
    expect(store.tasks.get('ended')).toBeUndefined();
    expect(store.events.ofTask('ended', 0, undefined)).toEqual([]);
    expect(store.counters.read().entered.success).toBe(1);
    await insert(store, 'ended');
    expect(store.events.ofTask('ended', 0, undefined).map((e) => e.seq)).toEqual([
      last + 1,
      last + 2,
      last + 3,
    ]);
  });

  test('an event without a task is refused', async () => {
    const store = openedStore();
    await expect(
      store.commits.write(() => store.appendEvents('no', events('recovered'))),
    ).rejects.toMatchObject({
      code: 'not_found',
    });
    expect(store.events.last).toBe(0);
  });
});

describe('another attempt', () => {
  test('the row is as if it had not begun, and what has failed is kept whole', async () => {
    const store = openedStore();
    const first = await inStatus(store, 'running');
    await store.commits.write(() => start(store, 't', first));
    const retry = retryOf(store);
    const done = await store.commits.write(() => store.changes.retry(running(store, 't', first), retry));
    expect(done?.events.map((e) => e.event_type)).toEqual(retry.events.map((e) => e.event_type));
    const row = store.tasks.get('t')!;
    expect(row).toEqual(done?.task);
    expect(row).toMatchObject({
      status: 'accepted',
      past_attempts: 1,
      failed_at_ms: NOW + 51,
      eligible_ms: 1000,
    });
    expect(store.attempts.ofTask('t')).toEqual([retry.ended]);
    expect(store.attempts.one('t', 1)).toEqual(retry.ended);
    expect(store.attempts.one('t', 2)).toBeUndefined();
    expect(store.counters.read().retries).toEqual({ exit: 1 });

    const second = (await dispatch(store, 't'))!;
    expect(second).toBeGreaterThan(first);
    for (const gone of ['failed_at_ms', 'eligible_ms']) expect(store.tasks.get('t')).not.toHaveProperty(gone);
    // What is told of the first attempt from here on changes nothing.
    const old = running(store, 't', first);
    const before = JSON.stringify(store.tasks.get('t'));
    const lates: (() => unknown)[] = [
      () => store.changes.retry(old, retryOf(store)),
      () => store.changes.end(old, { ...FAILED, released_at_ms: NOW + 51 }),
      () => store.changes.timedOut(old, NOW, []),
      () => store.changes.start(old, { pid: 1, pgid: 1, start_ticks: 1, started_at_ms: NOW, events: [] }),
    ];
    for (const late of lates) expect(await store.commits.write(late)).toBeUndefined();
    expect(JSON.stringify(store.tasks.get('t'))).toBe(before);
    await store.commits.write(() =>
      store.changes.end(running(store, 't', second), { ...SUCCESS, released_at_ms: NOW + 60 }),
    );
    expect(store.changes.delete('t')).toBe(true);
    expect(store.attempts.ofTask('t')).toEqual([]);
  });

  test('none follows one that is to be killed, nor twice the same', async () => {
    const store = openedStore();
    const launch_id = await inStatus(store, 'running');
    const task = running(store, 't', launch_id);
    await store.commits.write(() => store.changes.killRequested(task, NOW, undefined, []));
    const retry = retryOf(store);
    expect(await store.commits.write(() => store.changes.retry(task, retry))).toBeUndefined();
    expect(store.attempts.ofTask('t')).toEqual([]);
    expect(store.counters.read().retries).toEqual({});
    expect(store.tasks.get('t')).toMatchObject({ status: 'running', past_attempts: 0 });
  });
});
