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

/** Whose session it must be. */
interface OfTenant extends Abortable {
  /** Another tenant has no session with this id; without it, whoever has it. */
  tenant?: string | undefined;
}

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

  /** One page of the sessions, the newest first. */
  async list(filter: Partial<SessionQuery> = {}, options: Abortable = {}): Promise<SessionPage> {
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
