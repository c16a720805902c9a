import type { InsertResult } from '../../store/records.js';
import type { StoredSession } from '../../store/session-table.js';
import { ExecgoError, sessionNotFound } from '../../task/errors.js';
import type { TaskRequest } from '../../task/request.js';
import type { Core } from '../core.js';
import { timestamp } from '../views/timestamp.js';

type Asking = Pick<Core, 'store'>;

/**
 * Looks whether the session that a request names takes it: one of its own tenant that has not ended.
 * @throws ExecgoError `not_found`; `session_ended`, `session_evicted`
 */
export function checkSession(core: Asking, { control_context: context }: TaskRequest): void {
  const id = context?.session_id;
  if (id === undefined) return;
  const session = core.store.sessions.of(id);
  if (session === undefined || session.tenant !== context?.tenant) throw sessionNotFound(id);
  if (session.state !== 'open' || isOver(core, session)) throw takesNone(session);
}

/**
 * Counts a task that has just been inserted. To be called in the transaction that inserts it: between {@link checkSession} and that
 * the session may have ended.
 * @throws ExecgoError as {@link checkSession}
 */
export function enterSession(core: Asking, inserted: Extract<InsertResult, { inserted: true }>): void {
  const { task, events } = inserted;
  const { tenant, session_id = '' } = task.request.control_context ?? {};
  const seq = events.at(-1)?.seq ?? 0;
  if (core.store.sessions.submitted(session_id, tenant, task.task_id, seq, task.created_at_ms)) return;
  checkSession(core, task.request);
  throw sessionNotFound(session_id);
}

function isOver({ store }: Asking, { due_ms }: StoredSession): boolean {
  return due_ms !== undefined && due_ms <= store.kept.clock.now();
}

const WHY = {
  expired: 'its time is over',
  idle: 'nothing was done in it for too long',
  deleted: 'somebody has deleted it',
  closed: 'somebody has ended it',
} as const;

/** Why a session takes nothing more. */
export function takesNone({
  session_id,
  state,
  reason = 'expired',
  evicted_at_ms,
}: StoredSession): ExecgoError {
  const details = { session_id, reason };
  if (state !== 'evicted')
    return new ExecgoError(
      'session_ended',
      `session ${session_id} takes no more tasks: ${WHY[reason]}`,
      details,
    );
  return new ExecgoError(
    'session_evicted',
    `session ${session_id} was evicted at ${timestamp(evicted_at_ms ?? 0)}, and its files are gone: ${WHY[reason]}`,
    details,
  );
}
