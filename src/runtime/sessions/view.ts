import type { StoredSession } from '../../store/session-table.js';
import { sessionNotFound } from '../../task/errors.js';
import type { StorageFigures } from '../../task/session-storage.js';
import type { SessionPage, SessionQuery, SessionView } from '../../task/sessions.js';
import { SESSIONS, TASK_FILES } from '../../task/task-paths.js';
import type { Core } from '../core.js';
import type { Schedule } from '../schedule.js';
import { optionalTime, timestamp } from '../views/timestamp.js';

/** What tells how sessions are. */
export type SessionCore = Pick<Core, 'settings' | 'store' | 'live'> & { schedule: Schedule };

/**
 * The row of a session. One that only waits for the end of its last task to be deleted is still there.
 * @param tenant whose it must be; undefined: whoever's
 * @throws ExecgoError `not_found`
 */
export function knownSession(
  { store }: Pick<Core, 'store'>,
  sessionId: string,
  tenant: string | undefined,
): StoredSession {
  const session = store.sessions.of(sessionId);
  if (session === undefined || (tenant !== undefined && session.tenant !== tenant))
    throw sessionNotFound(sessionId);
  return session;
}

/** Everything is from counters that are kept, so that it costs the same with any history and however long its line is. */
export function sessionView(core: SessionCore, session: StoredSession): SessionView {
  const { settings, store } = core;
  const { session_id, counts, state } = session;
  const running = runningOf(core, session_id);
  const left = Math.max(0, counts.submitted - counts.success - counts.failed - counts.cancelled);
  return {
    session_id,
    tenant: session.tenant,
    owner: session.owner,
    title: session.title,
    metadata: session.metadata,
    state: state === 'open' ? (left > 0 ? 'running' : 'idle') : state,
    reason: session.reason,
    version: session.version,
    concurrency: session.concurrency,
    created_at: timestamp(session.created_at_ms),
    updated_at: timestamp(session.updated_at_ms),
    last_activity_at: timestamp(session.activity_at_ms),
    expires_at: optionalTime(session.expires_at_ms),
    ended_at: optionalTime(session.ended_at_ms),
    evicted_at: optionalTime(session.evicted_at_ms),
    counts: {
      accepted: Math.max(0, left - running.length),
      running: running.length,
      success: counts.success,
      failed: counts.failed,
      cancelled: counts.cancelled,
    },
    active_task_id: running[0],
    last_task_id: session.last_task_id,
    last_event_seq: session.last_event_seq,
    readers: readersOf(core.store, session),
    storage: state === 'evicted' ? undefined : figuresOf(store, session, running.length > 0),
    workspace:
      state === 'evicted'
        ? undefined
        : `${settings.dataDir}/${SESSIONS}/${session_id}/${TASK_FILES.workspace}`,
  };
}

/** Ids of its tasks that run. */
export function runningOf(
  { live, schedule }: Omit<SessionCore, 'settings' | 'store'>,
  sessionId: string,
): string[] {
  return schedule.turnsOf(sessionId).flatMap((id) => (live.get(id)?.record.status === 'running' ? [id] : []));
}

function readersOf({ sessions }: Core['store'], session: StoredSession): SessionView['readers'] {
  const readers = sessions.readers.of(session.session_seq);
  if (readers.length === 0) return undefined;
  return readers.map((mark) => ({
    ...mark,
    unread: mark.version < session.version || mark.event_seq < session.last_event_seq,
  }));
}

/** What it keeps, as far as somebody has looked; undefined: nobody has. @param runs a task of it does */
export function figuresOf(
  { sessions }: Core['store'],
  { session_seq, changes }: StoredSession,
  runs: boolean,
): StorageFigures | undefined {
  const found = sessions.storage.of(session_seq);
  if (found === undefined) return undefined;
  const { measured_at_ms, changes: then, ...tree } = found;
  const complete = tree.digest !== undefined;
  return { ...tree, complete, measured_at: timestamp(measured_at_ms), stale: runs || then !== changes };
}

/** @throws ExecgoError `invalid_input` for a cursor that no page had */
export function sessionPage(core: SessionCore, query: SessionQuery): SessionPage {
  const { sessions, next_cursor } = core.store.sessions.page(query);
  return { sessions: sessions.map((session) => sessionView(core, session)), next_cursor };
}
