import type { Notice } from '../../store/outbox.js';
import { endOf, type TaskRecord } from '../../store/records.js';
import type { Store } from '../../store/store.js';
import type { NotificationView } from '../../task/notification-view.js';
import { receiverOf } from '../../task/notify.js';
import { optionalTime, timestamp } from './timestamp.js';

/** The messages that the end of a task has caused; undefined where there are none. */
export function notificationsView(
  { sequels, kept }: Pick<Store, 'sequels' | 'kept'>,
  task: TaskRecord,
  nowMs: number,
): NotificationView[] | undefined {
  const notices = endOf(task)?.notices ?? 0;
  if (notices === 0) return undefined;
  // From the clock that nobody sets to the one that people read.
  const ahead = nowMs - kept.clock.now();
  return sequels.outbox.ofTask(task.task_id).map((notice) => view(notice, ahead, nowMs));
}

function view(notice: Notice, ahead: number, nowMs: number): NotificationView {
  const { webhook_id, source, url, secret_ref, state, attempts, http_status, error } = notice;
  const receiver = receiverOf(url);
  return {
    webhook_id,
    source,
    to: typeof receiver === 'string' ? '' : receiver.origin,
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
