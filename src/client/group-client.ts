import type { GroupKillAnswer, GroupPage, GroupQuery, GroupView } from '../task/groups.js';
import type { GroupRetryAnswer, GroupRetryQuery } from '../task/rerun.js';
import type { Abortable, Calls } from './calls.js';
import { ExecgoTimeoutError } from './errors.js';
import { groupPath } from './paths.js';
import { until } from './retry.js';
import { RuleClient } from './rule-client.js';
import type { KillOptions } from './types.js';

/** Whose group is meant. */
type GroupOptions = Abortable & { tenant?: string | undefined };

/** What a client asks of groups; each method throws as those of `ExecgoClient` do. */
export class GroupClient extends RuleClient {
  readonly #calls: Calls;
  readonly #reconnectMs: number;

  /** @param reconnectMs how long {@link waitGroup} bears a daemon that is out of reach, in milliseconds */
  constructor(calls: Calls, reconnectMs: number) {
    super(calls);
    this.#calls = calls;
    this.#reconnectMs = reconnectMs;
  }

  /** One page of the groups of a tenant that have tasks, by name. */
  async groups(options: Abortable & Partial<GroupQuery> = {}): Promise<GroupPage> {
    const { tenant, limit, cursor, signal } = options;
    return this.#calls.get('/api/v1/groups', { query: { tenant, limit, cursor }, signal });
  }

  /**
   * A group as it is now.
   * @param options.tenant whose it is; without it one of those without a tenant
   * @param options.waitMs answer when all of its tasks have ended, or after this many milliseconds (at most 60,000)
   */
  async group(
    name: string,
    options: GroupOptions & { waitMs?: number | undefined } = {},
  ): Promise<GroupView> {
    const { tenant, waitMs, signal } = options;
    return this.#calls.get(groupPath(name), { query: { tenant, wait_ms: waitMs }, waitMs, signal });
  }

  /**
   * Waits until all tasks of a group have ended, also across a restart of the daemon.
   * @throws ExecgoTimeoutError when `timeoutMs` run out first.
   */
  async waitGroup(
    name: string,
    options: GroupOptions & { timeoutMs?: number | undefined } = {},
  ): Promise<GroupView> {
    const { tenant } = options;
    return until(
      this.#reconnectMs,
      (waitMs, signal) => this.group(name, { tenant, waitMs, signal }),
      ({ done }) => done,
      options,
      (timeoutMs) => new ExecgoTimeoutError(name, timeoutMs, 'group'),
    );
  }

  /** Cancels the tasks of a group that wait or run. @returns how it is after the request. */
  async killGroup(
    name: string,
    options: KillOptions & { tenant?: string | undefined } = {},
  ): Promise<GroupKillAnswer> {
    const { tenant, owner, reason, signal, graceMs, waitMs } = options;
    return this.#calls.post(`${groupPath(name)}/kill`, {
      query: { tenant, reason, signal, grace_ms: graceMs, wait_ms: waitMs },
      owner,
      waitMs,
      repeatable: true,
    });
  }

  /**
   * Runs again the tasks of a group that failed, and those that were cancelled because of that, up to `limit` of them: the answer's
   * `next_cursor` goes on.
   */
  async retryGroup(
    name: string,
    options: Abortable & Partial<GroupRetryQuery> & { owner?: string | undefined } = {},
  ): Promise<GroupRetryAnswer> {
    const { tenant, cancelled, limit, cursor, ...call } = options;
    const query = { tenant, cancelled, limit, cursor };
    return this.#calls.post(`${groupPath(name)}/retry`, { ...call, query, repeatable: true });
  }
}
