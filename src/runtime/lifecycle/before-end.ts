import type { Changed, LiveRecord } from '../../store/records.js';
import type { Outcome } from '../../supervisor/wire/protocol.js';
import type { NewEvent } from '../../task/events.js';
import type { Core } from '../core.js';
import type { LiveTask } from '../live-tasks.js';
import { killEvent } from './kill-event.js';
import { progressEvent } from './progress-event.js';
import { killIsRecorded, startedEvent, timeoutEvent } from './started.js';

/** What of an attempt is written before its end is, and the events of its start that the end writes as well. */
export type Before = Changed<LiveRecord> & { start?: NewEvent[] };

/**
 * Writes down start, timeout and kill if that has not been done before; the conditions in the store's statements make sure
 * that each is written only once.
 * @param isEnd a start with nothing between it and the end is left to the end
 */
export function recordWhatWasNotYet(
  core: Pick<Core, 'store' | 'now'>,
  task: LiveTask,
  outcome: Outcome | undefined,
  isEnd: boolean,
): Before {
  const { stop, kill, progress } = task;
  const isUntold = progress?.isWritten === false;
  const now: Before = { task: task.record, events: [] };
  const add = (changed: Changed<LiveRecord> | undefined) => {
    if (changed === undefined) return;
    now.task = changed.task;
    now.events.push(...changed.events);
  };
  const { pid, started_at_ms } = outcome ?? {};
  if (task.phase.name === 'launched' && started_at_ms !== undefined && pid !== undefined) {
    const start = startedEvent({ pid, start_ticks: 0, started_at_ms });
    if (isEnd && kill === undefined && stop?.first !== 'timeout' && !isUntold)
      return { ...now, start: start.events };
    if (killIsRecorded(core, task)) start.events = [];
    add(core.store.changes.start(task.phase.record, start));
  }
  if (isUntold && now.task.status === 'running')
    add(core.store.markProgress(now.task, progress.latest, [progressEvent(progress.latest)]));
  if (kill !== undefined)
    add(
      core.store.changes.killRequested(now.task, core.now(), kill.note, [killEvent(core.now(), kill.note)]),
    );
  if (stop?.first === 'timeout' && now.task.status === 'running' && outcome !== undefined) {
    const at = outcome.timeout_at_ms ?? outcome.finished_at_ms;
    add(core.store.changes.timedOut(now.task, at, [timeoutEvent(at)]));
  }
  return now;
}
