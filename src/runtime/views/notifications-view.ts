import type { GroupName } from '../../store/group-table.js';
import type { Notice } from '../../store/outbox.js';
import { endOf, type TaskRecord } from '../../store/records.js';
import type { Store } from '../../store/store.js';
import { NOTICES_SHOWN } from '../../task/groups.js';
import type { NotificationView } from '../../task/notification-view.js';
import { originOf } from '../../task/notify.js';
import { optionalTime, timestamp } from './timestamp.js';

/** The messages that the end of a task has caused; undefined where there are none. */
export function notificationsView(
  { sequels, kept }: Pick<Store, 'sequels' | 'kept'>,
  task: TaskRecord,
  nowMs: number,
): NotificationView[] | undefined {
  const notices = endOf(task)?.notices ?? 0;
  if (notices === 0) return undefined;
  return views(sequels.outbox.ofTask(task.task_id), kept, nowMs);
}

/** The last messages that a group has caused, the last first. */
export function groupNotificationsView(
  { sequels, kept }: Pick<Store, 'sequels' | 'kept'>,
  name: GroupName,
  nowMs: number,
): NotificationView[] {
  return views(sequels.outbox.ofGroup(name, NOTICES_SHOWN), kept, nowMs);
}

function views(notices: readonly Notice[], kept: Store['kept'], nowMs: number): NotificationView[] {
  // From the clock that nobody sets to the one that people read.
  const ahead = nowMs - kept.clock.now();
  return notices.map((notice) => view(notice, ahead, nowMs));
}

function view(notice: Notice, ahead: number, nowMs: number): NotificationView {
  const { webhook_id, source, url, secret_ref, state, attempts, http_status, error } = notice;
  return {
    webhook_id,
    source,
    to: originOf(url),
    signed: secret_ref !== null,
    state,
    attempts,
    created_at: timestamp(notice.created_at_ms),
    next_attempt_at: notice.due_ms === null ? undefined : timestamp(Math.max(notice.due_ms + ahead, nowMs)),
    settled_at: optionalTime(notice.settled_at_ms ?? undefined),
    http_status: http_status ?? undefined,
    error: error ?? undefined,
  };
}
