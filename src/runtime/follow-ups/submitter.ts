import { crashPoint } from '../../executor/crash-point.js';
import type { PendingFollowUp } from '../../store/follow-ups.js';
import { backOffMs } from '../../store/retry.js';
import { Deadline } from '../../task/deadline.js';
import { bodyOf, ExecgoError } from '../../task/errors.js';
import type { SubmitAnswer } from '../../task/view.js';
import type { Announcer } from '../announcer.js';
import type { Core } from '../core.js';

/** How many are looked at together. */
const PAGE = 50;
/** The longest time between two attempts, in milliseconds. */
const LONGEST_MS = 60_000;
/** What passes by itself: a full queue, a full disk, a daemon that stops. */
const PASSING = ['resource_limit_exceeded', 'insufficient_storage', 'unavailable'];

/**
 * Submits a task.
 * @param along called in the transaction that accepts it; what it throws refuses it
 */
export type SubmitAlong = (body: unknown, along: (taskId: string) => void) => Promise<SubmitAnswer>;

type SubmittingCore = Pick<Core, 'store' | 'log' | 'now'> & { announcer: Announcer };

/** It was submitted before: by an earlier try that did not hear of it. */
class SubmittedBefore extends Error {}

/**
 * Submits the tasks that follow others, one after another. That a follow-up is settled stands in the transaction that accepts its task: it is submitted exactly once, whatever dies when.
 */
export class FollowUpSubmitter {
  #running: Promise<void> | undefined;
  #again = false;
  #timer: Deadline | undefined;
  #stopped = false;

  constructor(
    private readonly core: SubmittingCore,
    private readonly submit: SubmitAlong,
  ) {}

  /** Begins with what an earlier daemon has left. */
  start(): void {
    const { announcer, store } = this.core;
    announcer.onAnyEnd(() => {
      if (store.sequels.followUps.takeFresh()) this.#wake();
    });
    this.#wake();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  #wake(): void {
    this.#again = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#again && !this.#stopped) this.#wake();
    });
  }

  async #run(): Promise<void> {
    const { store, log } = this.core;
    this.#timer?.cancel();
    while (this.#again && !this.#stopped) {
      this.#again = false;
      const now = store.kept.clock.now();
      const pending = store.sequels.followUps.pending(PAGE);
      const due = pending.filter(({ due_ms }) => due_ms <= now);
      if (due.length === PAGE) this.#again = true;
      try {
        for (const one of due) if (!this.#isStopped()) await this.#one(one);
      } catch (err) {
        if (this.#isStopped()) return;
        log.error({ err }, 'cannot write down what has become of a follow-up; will retry');
        this.#at(LONGEST_MS);
        return;
      }
      const [next] = store.sequels.followUps.pending(1);
      if (next !== undefined) this.#at(next.due_ms - store.kept.clock.now());
    }
  }

  /** A function, because the compiler would take an answer for final, and it may change during each wait. */
  #isStopped(): boolean {
    return this.#stopped;
  }

  #at(ms: number): void {
    this.#timer?.cancel();
    this.#timer = new Deadline(ms, () => {
      this.#wake();
    }).unref();
  }

  /** A task that was deleted meanwhile is no parent any more. */
  #bodyOf({ body, task_id }: PendingFollowUp): unknown {
    const parsed = JSON.parse(body) as { control_context?: { parent_task_id?: unknown } };
    if (parsed.control_context?.parent_task_id === task_id && !this.core.store.tasks.has(task_id))
      delete parsed.control_context.parent_task_id;
    return parsed;
  }

  async #one(followUp: PendingFollowUp): Promise<void> {
    const { store, log, now } = this.core;
    const { id, task_id, expires_ms } = followUp;
    crashPoint('before_follow_up');
    try {
      const accepted = { isThere: false };
      const answer = await this.submit(this.#bodyOf(followUp), (next) => {
        accepted.isThere = store.sequels.followUps.markSubmitted(id, next, now());
        if (!accepted.isThere) throw new SubmittedBefore();
      });
      crashPoint('after_follow_up_commit');
      // A replay of an idempotency key accepts nothing, and names the task of its first use.
      if (!accepted.isThere)
        await store.commits.write(() => store.sequels.followUps.markSubmitted(id, answer.task_id, now()));
    } catch (error) {
      if (error instanceof SubmittedBefore || this.#isStopped()) return;
      const { attempts } = followUp;
      const due = store.kept.clock.now() + Math.min(backOffMs(attempts + 1) * 10, LONGEST_MS);
      const passes = error instanceof ExecgoError && PASSING.includes(error.code) && due <= expires_ms;
      if (!(error instanceof ExecgoError)) log.error({ err: error, task_id }, 'a follow-up failed');
      const why = bodyOf(error);
      await store.commits.write(() => {
        if (passes) store.sequels.followUps.putOff(id, why, due);
        else store.sequels.followUps.markRefused(id, why, now());
      });
      if (!passes) log.warn({ task_id, error: why }, 'a follow-up was refused');
    }
  }
}
