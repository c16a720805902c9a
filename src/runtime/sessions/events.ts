import type { EventPage } from '../../task/view.js';
import { eventPage } from '../lifecycle/event-page.js';
import type { Core } from '../core.js';
import type { SessionEventsQuery } from '../session-service.js';
import { knownSession } from './view.js';

/**
 * A page of the events of all tasks of a session, by seq. What lies before its first event and behind its last one is not read, however
 * long the history is.
 * @throws ExecgoError `not_found`; what `signal` aborts with
 */
export function sessionEvents(
  core: Pick<Core, 'store' | 'announcer'>,
  sessionId: string,
  { tenant, event_type, after_seq, limit, wait_ms }: SessionEventsQuery,
  signal: AbortSignal,
): Promise<EventPage> {
  const { store } = core;
  const session = knownSession(core, sessionId, tenant);
  const isPast = after_seq >= session.last_event_seq;
  const first = isPast ? undefined : store.sessions.firstSeqOf(session);
  const afterSeq = Math.max(after_seq, first === undefined ? store.events.last : first - 1);
  const filter = { session_id: sessionId, ...(event_type === undefined ? {} : { event_type }) };
  return eventPage(core, { filter, afterSeq, limit, waitMs: wait_ms }, signal);
}
