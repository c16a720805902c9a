import type { SessionReadMark } from '../../task/read-mark.js';
import type { SessionOutputBytes, SessionOutputQuery } from '../../task/session-output.js';
import type { EventPage } from '../../task/view.js';
import type { SessionStorage } from '../../task/session-storage.js';
import type {
  SessionDeleteAnswer,
  SessionDeletion,
  SessionPage,
  SessionQuery,
  SessionView,
} from '../../task/sessions.js';
import type {
  SessionCaller,
  SessionEventsQuery,
  SessionService,
  StorageOptions,
} from '../session-service.js';
import { sessionEvents } from './events.js';
import { markSessionRead } from './mark-read.js';
import { sessionOutput } from './output.js';
import { editSession, makeSession, type ChangingCore } from './change.js';
import { deleteSession, type RemovingCore } from './remove.js';
import { sessionStorage, type StorageCore } from './storage.js';
import { knownSession, sessionPage, sessionView, type SessionCore } from './view.js';

/** What sessions work with, together. */
export type SessionsCore = SessionCore & ChangingCore & RemovingCore & StorageCore;

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

  storage(sessionId: string, options: StorageOptions, signal: AbortSignal): Promise<SessionStorage> {
    return sessionStorage(this.core, sessionId, options, signal);
  }

  markRead(
    sessionId: string,
    reader: string,
    tenant: string | undefined,
    body: unknown,
  ): Promise<SessionReadMark> {
    return markSessionRead(this.core, sessionId, reader, tenant, body);
  }

  events(sessionId: string, query: SessionEventsQuery, signal: AbortSignal): Promise<EventPage> {
    return sessionEvents(this.core, sessionId, query, signal);
  }

  output(sessionId: string, query: SessionOutputQuery): Promise<SessionOutputBytes> {
    return sessionOutput(this.core, sessionId, query);
  }
}
