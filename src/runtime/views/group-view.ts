import { isStopped, notifiesOf, type GroupName } from '../../store/group-table.js';
import { endOf } from '../../store/records.js';
import { ExecgoError, invalidInput } from '../../task/errors.js';
import { originOf } from '../../task/notify.js';
import { FAILURES_SHOWN, type GroupPage, type GroupQuery, type GroupView } from '../../task/groups.js';
import type { Core } from '../core.js';
import { groupKey } from '../task-sets.js';
import { groupNotificationsView } from './notifications-view.js';
import { timestamp } from './timestamp.js';

/** What tells how groups are. */
export type GroupCore = Pick<Core, 'live' | 'store' | 'now'>;

/**
 * A group as it is now, from counters that are kept.
 * @throws ExecgoError `not_found` for a group that has no task
 */
export function groupView({ live, store, now }: GroupCore, name: GroupName): GroupView {
  const { tenant, group } = name;
  const row = store.groups.of(name);
  if (row === undefined) throw new ExecgoError('not_found', `group not found: ${group}`, { group, tenant });
  const { success, failed, cancelled, retried, max_failures } = row;
  const notify = notifiesOf(row);
  const running = Math.min(row.live, live.runningOf(groupKey(tenant, group)));
  return {
    group,
    tenant,
    generated_at: timestamp(now()),
    counts: { accepted: row.live - running, running, success, failed, cancelled },
    retried: retried > 0 ? retried : undefined,
    done: row.live === 0,
    max_failures: max_failures ?? undefined,
    stopped: isStopped(row) ? true : undefined,
    failures: store.groups.failures(name, FAILURES_SHOWN).flatMap((id) => failure(store, id)),
    notify: notify?.map(({ when, webhook: { url, secret_ref } }) => ({
      when,
      to: originOf(url),
      signed: secret_ref !== undefined,
    })),
    notifications: notify && groupNotificationsView(store, name, now()),
  };
}

function failure(store: GroupCore['store'], id: string): GroupView['failures'] {
  const task = store.tasks.get(id);
  const ended = task && endOf(task);
  if (ended === undefined) return [];
  const { task_id, cause, exit_code, exit_signal, error, finished_at_ms } = ended;
  return [{ task_id, cause, exit_code, exit_signal, error, finished_at: timestamp(finished_at_ms) }];
}

/** Groups of a tenant, in the order of the bytes of their names. @throws ExecgoError `invalid_input` for another's cursor */
export function groupPage(core: GroupCore, { tenant, limit, cursor }: GroupQuery): GroupPage {
  const names = core.store.groups.names(tenant, cursor === undefined ? '' : decodeCursor(cursor), limit + 1);
  const shown = names.slice(0, limit);
  const last = shown.at(-1);
  return {
    generated_at: timestamp(core.now()),
    groups: shown.map((group) => groupView(core, { tenant, group })),
    next_cursor:
      names.length > limit && last !== undefined ? Buffer.from(last).toString('base64url') : undefined,
  };
}

function decodeCursor(cursor: string): string {
  const name = Buffer.from(cursor, 'base64url').toString();
  if (Buffer.from(name).toString('base64url') === cursor) return name;
  throw invalidInput('cursor: is not one that a list of groups has returned');
}
