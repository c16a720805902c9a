import { join } from 'node:path';
import Database from 'better-sqlite3';
import { onTestFinished } from 'vitest';
import { openStore } from '../../src/store/open.js';
import type { NewTask, RunningTask, TaskEnd, WaitingTask } from '../../src/store/records.js';
import type { Store } from '../../src/store/store.js';
import type { EventType, NewEvent } from '../../src/task/events.js';
import type { ExecutionPlan } from '../../src/task/plan.js';
import { submitSchema, type TaskSubmission } from '../../src/task/request.js';
import { tempDir } from '../harness/temp-dir.js';

export const NOW = 1_700_000_000_000;

const PLAN: ExecutionPlan = {
  capability_mode: 'adaptive',
  requested_sandbox: { profile: 'process', chroot: false },
  effective_sandbox: { profile: 'process', chroot: false },
  resource_enforcement: {
    wall_time_ms: 300_000,
    wall_time_mechanism: 'supervisor',
    cpu_time_enforced: false,
    memory_enforced: false,
    pids_enforced: false,
    cgroup_enforced: false,
    oom_detection: false,
  },
  degraded: false,
};

/** A store in a directory, closed after the test if the test has not done so. */
export function openedStore(dataDir: string = tempDir()): Store {
  const store = openStore({ dataDir, now: () => NOW });
  onTestFinished(() => store.close());
  return store;
}

/** A connection of the test's own to a data directory's database. */
export function rawDatabase(dataDir: string): Database.Database {
  const db = new Database(join(dataDir, 'runtime.db'));
  onTestFinished(() => {
    db.close();
  });
  return db;
}

export function events(...types: EventType[]): NewEvent[] {
  return types.map((event_type) => ({ event_type, timestamp_ms: NOW }));
}

export function newTask(task_id: string, submission: Partial<TaskSubmission> = {}): NewTask {
  const request = submitSchema.parse({ execution: { kind: 'command', program: '/bin/true' }, ...submission });
  return {
    task_id,
    request,
    request_json: JSON.stringify(request),
    sent_json: JSON.stringify(submission),
    plan: PLAN,
    reservation: { task_slots: 1, memory_bytes: 1024 },
    created_at_ms: NOW,
    events: events('submitted', 'accepted', 'planned'),
  };
}

export function insert(store: Store, task_id: string, submission: Partial<TaskSubmission> = {}) {
  return store.commits.write(() => store.newTasks.insert(newTask(task_id, submission)));
}

/** A task as who believes it waits has it. */
export function waiting(store: Store, task_id: string): WaitingTask {
  return { ...store.tasks.get(task_id)!, status: 'accepted' };
}

/** A task as who believes that this launch runs it has it. */
export function running(store: Store, task_id: string, launch_id: number | null): RunningTask {
  const attempt = launch_id === null ? { launch_id } : { launch_id, launch_token: 't', incarnation: 'i' };
  return { ...waiting(store, task_id), status: 'running', attempt, timed_out: false };
}

/** @returns the launch id */
export function dispatch(store: Store, task_id: string): Promise<number | undefined> {
  return store.commits.write(() => {
    const launch_id = store.attemptIds.next();
    const launch = { launch_id, launch_token: 't', incarnation: 'i', shim_pid: 7, at_ms: NOW + 1 };
    return store.changes.dispatch(waiting(store, task_id), { ...launch, events: events('resource_reserved') })
      ? launch_id
      : undefined;
  });
}

export function start(store: Store, task_id: string, launch_id: number) {
  const process = { pid: 41, pgid: 41, start_ticks: 99, started_at_ms: NOW + 2 };
  return store.commits.write(() =>
    store.changes.start(running(store, task_id, launch_id), { ...process, events: events('started') }),
  );
}

export const SUCCESS: TaskEnd = {
  status: 'success',
  cause: 'exit',
  exit_code: 0,
  finished_at_ms: NOW + 50,
  duration_ms: 48,
  stdout_bytes: 3,
  stderr_bytes: 0,
  usage: { duration_ms: 48 },
  released_at_ms: NOW + 51,
  events: events('resource_released', 'finished'),
};

export const CANCELLED: TaskEnd = {
  status: 'cancelled',
  cause: 'cancelled',
  finished_at_ms: NOW + 50,
  duration_ms: 0,
  stdout_bytes: 0,
  stderr_bytes: 0,
  error: { code: 'cancelled', message: 'task cancelled before execution' },
  events: events('cancelled'),
};

export const FAILED: TaskEnd = {
  ...CANCELLED,
  status: 'failed',
  cause: 'launch',
  error: { code: 'launch_failed', message: 'no such program' },
  events: events('failed'),
};

/** Inserts, dispatches, starts and ends a task. */
export async function runThrough(
  store: Store,
  task_id: string,
  end: TaskEnd = SUCCESS,
  submission: Partial<TaskSubmission> = {},
): Promise<void> {
  await insert(store, task_id, submission);
  const launch_id = (await dispatch(store, task_id)) ?? 0;
  await start(store, task_id, launch_id);
  await store.commits.write(() =>
    store.changes.end(running(store, task_id, launch_id), { ...end, released_at_ms: NOW + 51 }),
  );
}
