import type {
  SessionDeleteAnswer,
  SessionDeletion,
  SessionPage,
  SessionQuery,
  SessionView,
} from '../../task/sessions.js';
import type { SessionCaller, SessionService } from '../session-service.js';
import { editSession, makeSession, type ChangingCore } from './change.js';
import { deleteSession, type RemovingCore } from './remove.js';
import { knownSession, sessionPage, sessionView, type SessionCore } from './view.js';

/** What sessions work with, together. */
export type SessionsCore = SessionCore & ChangingCore & RemovingCore;

/** Sessions as the API sees them: each use case in its own file. */
export class Sessions implements SessionService {
  constructor(private readonly core: SessionsCore) {}

  async make(body: unknown): Promise<SessionView> {
    return sessionView(this.core, await makeSession(this.core, body));
  }

  view(sessionId: string, tenant: string | undefined): SessionView {
    return sessionView(this.core, knownSession(this.core, sessionId, tenant));
  }

  page(query: SessionQuery): SessionPage {
    return sessionPage(this.core, query);
  }

  async edit(sessionId: string, body: unknown, caller: SessionCaller): Promise<SessionView> {
    return sessionView(this.core, await editSession(this.core, sessionId, body, caller));
  }

  async delete(sessionId: string, how: SessionDeletion, signal: AbortSignal): Promise<SessionDeleteAnswer> {
    return { session_id: sessionId, deleted: await deleteSession(this.core, sessionId, how, signal) };
  }
}
