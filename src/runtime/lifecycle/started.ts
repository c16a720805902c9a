import type { Running } from '../../supervisor/wire/protocol.js';
import type { NewEvent } from '../../task/events.js';
import type { Core } from '../core.js';
import { crashPoint } from '../../executor/crash-point.js';
import type { LiveTask } from '../live-tasks.js';
import { onSteadyClock } from '../steady-clock.js';

type Start = Pick<Running, 'pid' | 'start_ticks' | 'started_at_ms'>;

/**
 * For how long a start waits for another write that it can share a transaction with, in milliseconds: 3,500 short tasks
 * take 670 commits then, and 717 without.
 */
const START_WAITS_MS = 5;

/** What the store writes when a launch's process runs: the leader of a new session leads its process group too. */
export function startedEvent(start: Start): Start & { pgid: number; events: NewEvent[] } {
  const { pid, start_ticks, started_at_ms } = start;
  return {
    pid,
    pgid: pid,
    start_ticks,
    started_at_ms,
    events: [{ event_type: 'started', timestamp_ms: started_at_ms, data: { pid, pgid: pid } }],
  };
}

/** Commits that the task's process runs; told again after a reconnect, it does nothing. */
export async function recordStarted(core: Core, task: LiveTask, running: Running): Promise<void> {
  const { record } = task;
  if (record.started_at_ms !== null || task.ending !== undefined) return;
  const { events, ...start } = startedEvent(running);
  crashPoint('before_started_commit');
  const written = await core.store.commits.writeAlong(
    () =>
      core.store.markStarted(record.task_id, running.launch_id, {
        ...start,
        events: killIsRecorded(core, task) ? [] : events,
      }),
    START_WAITS_MS,
  );
  crashPoint('after_started_commit');
  if (written === undefined) return;
  core.live.update(task, { ...start, updated_at_ms: running.started_at_ms });
  task.startedAt = onSteadyClock(core, running.started_at_ms);
  core.announcer.events(written);
  core.announcer.started(record.task_id);
}

/**
 * True once the kill is in the task's history: by that it was killed before it started, and no start comes after it. To
 * be called in the transaction that writes the start.
 */
export function killIsRecorded(core: Core, { record, kill }: LiveTask): boolean {
  return kill !== undefined && core.store.task(record.task_id)?.kill_requested === true;
}

/** Commits that the wall time passed, unless a kill was first. */
export async function recordTimeout(
  core: Core,
  task: LiveTask,
  launchId: number,
  atMs: number,
): Promise<void> {
  task.firstStop ??= 'timeout';
  const { record } = task;
  if (task.firstStop !== 'timeout' || record.timeout_triggered || task.ending !== undefined) return;
  crashPoint('before_timeout_commit');
  // Behind the start, which may still wait for a transaction.
  const written = await core.store.commits.writeAlong(
    () =>
      core.store.markTimeout(record.task_id, launchId, atMs, [
        { event_type: 'timeout_triggered', timestamp_ms: atMs },
      ]),
    START_WAITS_MS,
  );
  crashPoint('after_timeout_commit');
  if (written === undefined) return;
  core.live.update(task, { timeout_triggered: true, updated_at_ms: atMs });
  core.announcer.events(written);
}
