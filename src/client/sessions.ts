import type { EventType } from '../task/events.js';
import type { OutputStream } from '../task/output.js';
import type { SessionReadMark } from '../task/read-mark.js';
import type { SessionOutputBytes, SessionOutputPage } from '../task/session-output.js';
import type { EventPage } from '../task/view.js';
import type { SessionStorage } from '../task/session-storage.js';
import type {
  SessionDeleteAnswer,
  SessionEdit,
  SessionPage,
  SessionQuery,
  SessionRequest,
  SessionView,
} from '../task/sessions.js';
import type { Abortable, Calls } from './calls.js';
import { sessionPath } from './paths.js';

/** How long a daemon looks at most, in milliseconds. */
const LOOK_MS = 60_000;

/** Whose session it must be. */
interface OfTenant extends Abortable {
  /** Another tenant has no session with this id; without it, whoever has it. */
  tenant?: string | undefined;
}

/** Which sessions a list shows. */
export type SessionFilter = Partial<Omit<SessionQuery, 'unread_by'>> & {
  /** With `unread`: who reads. */
  reader?: string | undefined;
  /** Only sessions that the reader has not seen as they are. */
  unread?: true | undefined;
};

/** What of a daemon is about sessions. */
export class SessionClient {
  readonly #calls: Calls;

  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** Makes a session with an empty workspace. Sent at most once. */
  async create(request: SessionRequest = {}, options: Abortable = {}): Promise<SessionView> {
    return this.#calls.post('/api/v1/sessions', { ...options, body: request, repeatable: false });
  }

  async get(sessionId: string, { tenant, signal }: OfTenant = {}): Promise<SessionView> {
    return this.#calls.get(sessionPath(sessionId), { query: { tenant }, signal });
  }

  /**
   * What a session keeps, as it was when it was last looked at.
   * @param options.refresh look anew; otherwise only the first time
   * @param options.waitMs how long a look is waited for where what is known may have changed, 0 by default
   */
  async storage(
    sessionId: string,
    options: OfTenant & { refresh?: boolean | undefined; waitMs?: number | undefined } = {},
  ): Promise<SessionStorage> {
    const { tenant, refresh = false, waitMs, signal } = options;
    const path = `${sessionPath(sessionId)}/storage`;
    if (refresh)
      return this.#calls.post(`${path}/refresh`, {
        query: { tenant },
        repeatable: true,
        waitMs: LOOK_MS,
        signal,
      });
    return this.#calls.get(path, {
      query: { tenant, wait_ms: waitMs },
      waitMs: Math.max(waitMs ?? 0, LOOK_MS),
      signal,
    });
  }

  /**
   * Says that a reader has seen a session: as it is, or up to a version and an event. A list with `reader` and `unread` shows it again
   * once it has changed, or something has happened to its tasks.
   */
  async markRead(
    sessionId: string,
    reader: string,
    options: OfTenant & { version?: number | undefined; eventSeq?: number | undefined } = {},
  ): Promise<SessionReadMark> {
    const { tenant, version, eventSeq, signal } = options;
    const path = `${sessionPath(sessionId)}/read/${encodeURIComponent(reader)}`;
    const body = { version, event_seq: eventSeq };
    return this.#calls.put(path, { query: { tenant }, body, repeatable: true, signal });
  }

  /** One page of the events of all tasks of a session. `last_seq` is where to go on. */
  async events(
    sessionId: string,
    options: OfTenant & {
      eventType?: readonly EventType[] | undefined;
      afterSeq?: number | undefined;
      limit?: number | undefined;
      waitMs?: number | undefined;
    } = {},
  ): Promise<EventPage> {
    const { tenant, eventType, afterSeq, limit, waitMs, signal } = options;
    const query = { tenant, event_type: eventType?.join(','), after_seq: afterSeq, limit, wait_ms: waitMs };
    return this.#calls.get(`${sessionPath(sessionId)}/events`, { query, waitMs, signal });
  }

  /**
   * One page of what the tasks of a session have written, one task after another; the exact bytes.
   * @param options.after `next` of the page before
   */
  async output(
    sessionId: string,
    options: OfTenant & {
      after?: string | undefined;
      limit?: number | undefined;
      stream?: OutputStream | undefined;
    } = {},
  ): Promise<SessionOutputBytes> {
    const { tenant, after, limit, stream, signal } = options;
    const query = { tenant, after, limit, stream, encoding: 'base64' };
    const path = `${sessionPath(sessionId)}/output`;
    const { pieces, next, more } = await this.#calls.get<SessionOutputPage>(path, { query, signal });
    return {
      pieces: pieces.map((piece) => ({ ...piece, data: Buffer.from(piece.data, 'base64') })),
      next,
      more,
    };
  }

  /** One page of the sessions, the newest first. */
  async list(filter: SessionFilter = {}, options: Abortable = {}): Promise<SessionPage> {
    return this.#calls.get('/api/v1/sessions', { ...options, query: { ...filter } });
  }

  /** Changes what `changes` names; `null` takes back. With `if_version` only if it has that version. */
  async edit(
    sessionId: string,
    changes: SessionEdit,
    options: OfTenant & { owner?: string | undefined } = {},
  ): Promise<SessionView> {
    const { tenant, owner, signal } = options;
    return this.#calls.patch(sessionPath(sessionId), { query: { tenant }, owner, signal, body: changes });
  }

  /**
   * Deletes a session with its files.
   * @param options.force kill its tasks first; otherwise one that has any is a conflict
   * @param options.waitMs how long their ends are waited for, 10,000 by default
   * @returns `deleted: false` when some still run: it goes with the last of them
   */
  async delete(
    sessionId: string,
    options: OfTenant & {
      owner?: string | undefined;
      force?: boolean | undefined;
      waitMs?: number | undefined;
    } = {},
  ): Promise<SessionDeleteAnswer> {
    const { tenant, owner, force, waitMs, signal } = options;
    const query = { tenant, force, wait_ms: waitMs };
    const answer = await this.#calls.delete(sessionPath(sessionId), { query, owner, waitMs, signal });
    return answer as SessionDeleteAnswer;
  }
}
