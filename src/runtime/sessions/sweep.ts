import { setImmediate as nextTurn } from 'node:timers/promises';
import { messageOf } from '../../files/errno.js';
import { endTasks, evictSession, forgetSession, removeSession, type RemovingCore } from './remove.js';

/** How many sessions are looked at in one go. */
const BATCH = 32;
/** How long one that cannot be removed is left alone, in milliseconds of the retention clock. */
const STUCK_MS = 600_000;

/** How long sessions are kept, in milliseconds; undefined: for ever. */
export interface SessionPolicy {
  idleMs: number | undefined;
  /** How long it is remembered that one was evicted. */
  evictedMs: number;
}

/** Ends sessions that have expired, evicts those without tasks, and forgets those that were evicted long ago. */
export class SessionSweep {
  readonly #stuck = new Map<string, number>();
  #isFirst = true;

  constructor(
    private readonly core: RemovingCore,
    private readonly policy: SessionPolicy,
  ) {}

  /** One round. @param signal ends it early */
  async round(signal: AbortSignal): Promise<void> {
    const { sessions } = this.core.store;
    const { idleMs, evictedMs } = this.policy;
    // An earlier daemon may have been killed before it could end the tasks of one that is to go.
    if (this.#isFirst) for (const id of sessions.beingDeleted()) await endTasks(this.core, id);
    this.#isFirst = false;
    await this.#each(
      signal,
      () => sessions.removals(BATCH),
      (id) => removeSession(this.core, id),
    );
    await this.#each(
      signal,
      () => sessions.expired(BATCH),
      (id) => this.#expire(id),
    );
    if (idleMs !== undefined)
      for (const state of ['open', 'ended'] as const)
        await this.#each(
          signal,
          () => sessions.idle(state, idleMs, BATCH),
          (id) => evictSession(this.core, id, 'idle'),
        );
    await this.#each(
      signal,
      () => sessions.idle('evicted', evictedMs, BATCH),
      (id) => forgetSession(this.core, id),
    );
  }

  /** While tasks of it run, it takes no more, and its files stay. */
  async #expire(sessionId: string): Promise<boolean> {
    const { store, now, log } = this.core;
    if (await evictSession(this.core, sessionId, 'expired')) {
      log.info({ session_id: sessionId }, 'a session has expired, and its files are removed');
      return true;
    }
    await store.commits.writeAlong(() => store.sessions.end(sessionId, 'expired', now()));
    return false;
  }

  /** @param act resolves with false for one that has to wait */
  async #each(
    signal: AbortSignal,
    due: () => string[],
    act: (id: string) => Promise<boolean>,
  ): Promise<void> {
    while (!signal.aborted) {
      const all = due();
      const ids = all.filter((id) => !this.#isStuck(id));
      let isSomeGone = false;
      for (const id of ids) isSomeGone = (await this.#guarded(id, act)) || isSomeGone;
      if (all.length < BATCH || !isSomeGone) return;
      await nextTurn();
    }
  }

  async #guarded(id: string, act: (id: string) => Promise<boolean>): Promise<boolean> {
    try {
      return await act(id);
    } catch (error) {
      this.#stuck.set(id, this.core.store.kept.clock.now() + STUCK_MS);
      this.core.log.warn(
        { session_id: id, problem: messageOf(error) },
        'a session cannot be removed; will retry later',
      );
      return false;
    }
  }

  #isStuck(id: string): boolean {
    const until = this.#stuck.get(id);
    if (until === undefined) return false;
    if (until > this.core.store.kept.clock.now()) return true;
    this.#stuck.delete(id);
    return false;
  }
}
