import type { SessionCaller, SessionService } from '../../src/runtime/session-service.js';
import { sessionNotFound } from '../../src/task/errors.js';
import { examples } from '../../src/task/examples.js';
import {
  SessionRequest,
  type SessionDeleteAnswer,
  type SessionDeletion,
  type SessionPage,
  type SessionQuery,
  type SessionView,
} from '../../src/task/sessions.js';
import { invalidInputFrom } from '../../src/task/validate.js';

/** Sessions that are kept in memory. What it was asked is remembered by the service that it belongs to. */
export class FakeSessions implements SessionService {
  readonly #known = new Set<string>();

  constructor(private readonly service: { readonly asked: Record<string, unknown[]> }) {}

  add(sessionId: string): void {
    this.#known.add(sessionId);
  }

  async make(body: unknown): Promise<SessionView> {
    this.service.asked['makeSession'] = [body];
    const parsed = SessionRequest.safeParse(body);
    if (!parsed.success) throw invalidInputFrom(parsed.error);
    const { session_id = 'generated' } = parsed.data;
    this.#known.add(session_id);
    return this.#view(session_id);
  }

  view(sessionId: string, tenant: string | undefined): SessionView {
    this.service.asked['session'] = [sessionId, tenant];
    return this.#view(sessionId);
  }

  page(query: SessionQuery): SessionPage {
    this.service.asked['sessions'] = [query];
    return { sessions: [...this.#known].map((id) => this.#view(id)), next_cursor: 'next' };
  }

  async edit(sessionId: string, body: unknown, caller: SessionCaller): Promise<SessionView> {
    this.service.asked['editSession'] = [sessionId, body, caller];
    return this.#view(sessionId);
  }

  async delete(sessionId: string, how: SessionDeletion): Promise<SessionDeleteAnswer> {
    this.service.asked['deleteSession'] = [sessionId, how];
    if (!this.#known.delete(sessionId)) throw sessionNotFound(sessionId);
    return { session_id: sessionId, deleted: true };
  }

  #view(session_id: string): SessionView {
    if (!this.#known.has(session_id)) throw sessionNotFound(session_id);
    return { ...examples.SessionView!, session_id };
  }
}
