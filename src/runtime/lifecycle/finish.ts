import type { Changed, EndedTask, LiveRecord, TaskEnd } from '../../store/records.js';
import type { Store } from '../../store/store.js';
import type { NewEvent } from '../../task/events.js';
import { followUpsOf, writeFollowUps } from '../follow-ups/asked.js';
import type { Notices } from '../notify/notices.js';

/** What an end is written down with. */
export interface FinishingCore {
  store: Store;
  notices: Notices;
}

/**
 * Writes the end of a task, and what follows from it. To be called in a transaction.
 * @param start the events of a start that is to be written with it
 * @returns undefined when somebody else was first
 */
export function finish(
  { store, notices }: FinishingCore,
  task: LiveRecord,
  end: TaskEnd,
  start?: NewEvent[],
): Changed<EndedTask> | undefined {
  const asked = notices.of(task, end);
  const following = followUpsOf(task, end);
  if (asked.length === 0 && following.length === 0) return store.finish(task, end, start);
  end.notices = asked.length;
  end.follow_ups = following.length;
  const ended = store.finish(task, end, start);
  if (ended === undefined) return undefined;
  if (asked.length > 0) notices.write(asked, ended.task);
  writeFollowUps(store, following, task);
  return ended;
}
