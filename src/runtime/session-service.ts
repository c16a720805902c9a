import type { EventType } from '../task/events.js';
import type { SessionReadMark } from '../task/read-mark.js';
import type { SessionOutputBytes, SessionOutputQuery } from '../task/session-output.js';
import type { EventPage } from '../task/view.js';
import type { SessionStorage } from '../task/session-storage.js';
import type {
  SessionDeleteAnswer,
  SessionDeletion,
  SessionPage,
  SessionQuery,
  SessionView,
} from '../task/sessions.js';

/** In whose name a session is asked for. */
export interface SessionCaller {
  /** Whose session it must be; undefined: whoever's. */
  tenant: string | undefined;
  /** Value of `x-execgo-owner`. */
  owner: string | undefined;
}

/** How it is asked what a session keeps. */
export interface StorageOptions {
  tenant: string | undefined;
  /** Look anew in any case. */
  refresh: boolean;
  /** How long a look is waited for where what is known may have changed. */
  wait_ms: number;
}

/** Which events of its tasks are asked for. */
export interface SessionEventsQuery {
  tenant: string | undefined;
  event_type: EventType[] | undefined;
  after_seq: number;
  limit: number;
  /** How long the first is waited for. */
  wait_ms: number;
}

/**
 * What the daemon does with sessions for a client. Every method that takes an id throws `not_found` for a session that there is not,
 * or that is another tenant's.
 */
export interface SessionService {
  /** Makes one with an empty workspace; durable when this resolves. */
  make(body: unknown): Promise<SessionView>;
  view(sessionId: string, tenant: string | undefined): SessionView;
  page(query: SessionQuery): SessionPage;
  /** Changes what is said of one, by a JSON Merge Patch; durable and in force when this resolves. */
  edit(sessionId: string, body: unknown, caller: SessionCaller): Promise<SessionView>;
  /** Deletes one with its files; `conflict` while it has tasks and nobody insists. Rejects when `signal` aborts. */
  delete(sessionId: string, how: SessionDeletion, signal: AbortSignal): Promise<SessionDeleteAnswer>;
  /**
   * What it keeps, as it was when it was last looked at: now, where it was not before. What may have changed is looked at anew
   * behind the answer. `unavailable` when looking takes too long; `session_evicted`. Rejects when `signal` aborts.
   */
  storage(sessionId: string, options: StorageOptions, signal: AbortSignal): Promise<SessionStorage>;
  /** Writes down how far a reader has seen it: as it is, unless the body says how far. */
  markRead(
    sessionId: string,
    reader: string,
    tenant: string | undefined,
    body: unknown,
  ): Promise<SessionReadMark>;
  /** Events of all its tasks, by seq. Rejects when `signal` aborts. */
  events(sessionId: string, query: SessionEventsQuery, signal: AbortSignal): Promise<EventPage>;
  /** What its tasks have written, one after another. */
  output(sessionId: string, query: SessionOutputQuery): Promise<SessionOutputBytes>;
}
