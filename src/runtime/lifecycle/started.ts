import type { Running } from '../../supervisor/wire/protocol.js';
import type { NewEvent } from '../../task/events.js';
import type { Core } from '../core.js';
import { crashPoint } from '../../executor/crash-point.js';
import type { LiveTask } from '../live-tasks.js';

type Start = Pick<Running, 'pid' | 'start_ticks' | 'started_at_ms'>;

/**
 * What the store writes when an attempt's process runs. The process is the leader of a new session, so its pid is that of
 * its process group too.
 */
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

/** What a change of an attempt is written and told with. */
type RecordingCore = Pick<Core, 'store' | 'live' | 'announcer'>;

/** Commits that the task's process runs; does nothing when that is told again after a reconnect. */
export async function recordStarted(core: RecordingCore, task: LiveTask, running: Running): Promise<void> {
  if (task.phase.name === 'started' || task.ending !== undefined) return;
  const { events, ...start } = startedEvent(running);
  crashPoint('before_started_commit');
  const written = await core.store.commits.write(() => {
    const record = task.isEndWritten ? undefined : task.at(running.launch_id);
    return (
      record &&
      core.store.changes.start(record, { ...start, events: killIsRecorded(core, task) ? [] : events })
    );
  });
  crashPoint('after_started_commit');
  if (written === undefined) return;
  core.live.update(task, written.task);
  core.announcer.events(written.events);
  core.announcer.started(written.task.task_id);
}

/**
 * True once the kill is in the task's history, which says that it was killed before it started: no start may follow. To be
 * called in the transaction that writes the start.
 */
export function killIsRecorded(core: Pick<Core, 'store'>, { record, kill }: LiveTask): boolean {
  return kill !== undefined && core.store.tasks.get(record.task_id)?.kill_requested_at_ms !== undefined;
}

/** @param atMs Unix time in milliseconds */
export function timeoutEvent(atMs: number): NewEvent {
  return { event_type: 'timeout_triggered', timestamp_ms: atMs };
}

/** Commits that the wall time has passed, unless a kill was first. */
export async function recordTimeout(
  core: RecordingCore,
  task: LiveTask,
  launchId: number,
  atMs: number,
): Promise<void> {
  task.stopByTimeout();
  if (task.stop?.first !== 'timeout' || task.at(launchId)?.timed_out !== false || task.ending !== undefined)
    return;
  crashPoint('before_timeout_commit');
  const written = await core.store.commits.write(() => {
    const record = task.at(launchId);
    return record && core.store.changes.timedOut(record, atMs, [timeoutEvent(atMs)]);
  });
  crashPoint('after_timeout_commit');
  if (written === undefined) return;
  core.live.update(task, written.task);
  core.announcer.events(written.events);
}
