import { groupNameOf } from '../../store/group-table.js';
import type { Changed, EndedTask, LiveRecord, TaskEnd } from '../../store/records.js';
import type { Store } from '../../store/store.js';
import type { NewEvent, TaskEvent } from '../../task/events.js';
import { followUpsOf, writeFollowUps } from '../follow-ups/asked.js';
import type { Notices } from '../notify/notices.js';

/** What an end is written down with. */
export interface FinishingCore {
  store: Store;
  notices: Notices;
}

const isDone = ({ event_type }: TaskEvent) => event_type === 'group_done';

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
  const open = store.commands.openSeqs(task.task_id);
  const group = groupNameOf(task.request);
  if (asked.length === 0 && following.length === 0 && open.length === 0 && group === undefined)
    return store.changes.end(task, end, start);
  end.notices = asked.length;
  end.follow_ups = following.length;
  const ended = store.changes.end(task, open.length === 0 ? end : withCancelled(end, open), start);
  if (ended === undefined) return undefined;
  if (open.length > 0) store.commands.cancelOpen(task.task_id, end.finished_at_ms);
  if (asked.length > 0) notices.write(asked, ended.task);
  writeFollowUps(store, following, task);
  if (group === undefined || !ended.events.some(isDone)) return ended;
  return { ...ended, task: notices.writeDone(group, ended.task) };
}

/** The end, in whose history the commands come first that are not carried out any more. */
function withCancelled(end: TaskEnd, seqs: number[]): TaskEnd {
  const cancelled: NewEvent = {
    event_type: 'commands_cancelled',
    timestamp_ms: end.finished_at_ms,
    data: { seqs },
  };
  return Object.assign({}, end, { events: [cancelled, ...end.events] });
}
