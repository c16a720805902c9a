import type { SessionStorage } from '../../src/task/session-storage.js';
import type { SessionReadMark } from '../../src/task/read-mark.js';
import type { SessionOutputBytes, SessionOutputQuery } from '../../src/task/session-output.js';
import type { EventPage } from '../../src/task/view.js';
import type {
  SessionCaller,
  SessionEventsQuery,
  SessionService,
  StorageOptions,
} from '../../src/runtime/session-service.js';
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

  async storage(sessionId: string, options: StorageOptions): Promise<SessionStorage> {
    this.service.asked['sessionStorage'] = [sessionId, options];
    return { ...examples.SessionStorage!, session_id: this.#view(sessionId).session_id };
  }

  async markRead(
    sessionId: string,
    reader: string,
    tenant: string | undefined,
    body: unknown,
  ): Promise<SessionReadMark> {
    this.service.asked['markSessionRead'] = [sessionId, reader, tenant, body];
    return { ...examples.SessionReadMark!, session_id: this.#view(sessionId).session_id };
  }

  async events(sessionId: string, query: SessionEventsQuery): Promise<EventPage> {
    this.service.asked['sessionEvents'] = [this.#view(sessionId).session_id, query];
    return examples.EventPage!;
  }

  async output(sessionId: string, query: SessionOutputQuery): Promise<SessionOutputBytes> {
    this.service.asked['sessionOutput'] = [this.#view(sessionId).session_id, query];
    const { pieces, next, more } = examples.SessionOutputPage!;
    return { pieces: pieces.map((piece) => ({ ...piece, data: Buffer.from(piece.data) })), next, more };
  }

  #view(session_id: string): SessionView {
    if (!this.#known.has(session_id)) throw sessionNotFound(session_id);
    return { ...examples.SessionView!, session_id };
  }
}
