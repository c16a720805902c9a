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
}
