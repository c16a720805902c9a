import type { Attempt, Executor, ExecutorEvents } from '../../executor/executor.js';
import { backOffMs, retry } from '../../store/retry.js';
import type { Outcome, Running } from '../../supervisor/wire/protocol.js';
import { sessionOf } from '../../task/session-of.js';
import type { Core } from '../core.js';
import type { LiveTask, Turn } from '../live-tasks.js';
import { CANCELLED, LOST } from './classify.js';
import type { Ends } from './complete.js';
import { recordStarted, recordTimeout } from './started.js';
import { recordNotPaused } from './turn.js';

type EventsCore = Pick<Core, 'store' | 'live' | 'announcer' | 'log' | 'now'> & { ends: Ends };

/** What gives attempts to the executor that tells of them. */
interface Launching {
  readonly executor: Pick<Executor, 'kill' | 'pause' | 'resume'>;
  launchAgain: (task: LiveTask) => void;
  pump: () => void;
}

/** What the executor's events do to a task: its attempt starts, ends, is refused or lost. */
export class AttemptEvents implements ExecutorEvents {
  /** Tasks that have their `recovered` event already. */
  private readonly recovered = new WeakSet<LiveTask>();

  constructor(
    private readonly core: EventsCore,
    private readonly launching: Launching,
  ) {}

  started(attempt: Attempt, running: Running, recovered: boolean): void {
    const task = this.taskOf(attempt);
    if (task === undefined) {
      this.launching.executor.kill(attempt.launch_id, { grace_ms: 0 });
      return;
    }
    let isToldRecovered = !recovered || this.recovered.has(task);
    if (recovered) this.recovered.add(task);
    void this.guard(task, async () => {
      await recordStarted(this.core, task, running);
      if (isToldRecovered) return;
      await this.recordRecovered(task);
      isToldRecovered = true;
    });
  }

  timedOut(attempt: Attempt, atMs: number): void {
    const task = this.taskOf(attempt);
    if (task === undefined) return;
    void this.guard(task, () => recordTimeout(this.core, task, attempt.launch_id, atMs));
  }

  paused(attempt: Attempt, atMs: number): void {
    this.turned(attempt, { to: 'paused', atMs });
  }

  resumed(attempt: Attempt, atMs: number, reason?: string): void {
    const turn: Turn = { to: 'resumed', atMs, reason };
    const task = reason === undefined ? undefined : this.taskOf(attempt);
    if (task === undefined) {
      this.turned(attempt, turn);
      return;
    }
    // Whoever waits for the pause finds it written down that there is none.
    const told = this.guard(task, () =>
      recordNotPaused({ ...this.core, executor: this.launching.executor }, task, attempt.launch_id, turn),
    );
    void told.then(() => {
      this.turned(attempt, turn);
    });
  }

  async ended(attempt: Attempt, outcome: Outcome): Promise<boolean> {
    const task = this.taskOf(attempt);
    return task === undefined || this.core.ends.fromOutcome(task, outcome);
  }

  refused(attempt: Attempt, _reason: string, again: boolean): void {
    const task = this.taskOf(attempt);
    if (task === undefined || task.ending !== undefined) return;
    const times = again ? (task.refusal?.times ?? 0) + 1 : 0;
    task.refusal = { launch_id: attempt.launch_id, times };
    if (task.kill !== undefined) {
      void this.core.ends.withVerdict(task, CANCELLED);
      return;
    }
    if (!again) {
      this.launching.launchAgain(task);
      return;
    }
    setTimeout(() => {
      const isStill = this.core.live.get(attempt.task_id) === task && task.launchId === attempt.launch_id;
      if (isStill && task.ending === undefined) this.launching.launchAgain(task);
    }, backOffMs(times));
  }

  async lost(attempt: Attempt, running: Running | undefined): Promise<boolean> {
    const task = this.taskOf(attempt);
    if (task === undefined) return true;
    if (running !== undefined) await this.guard(task, () => recordStarted(this.core, task, running));
    return this.core.ends.withVerdict(task, LOST);
  }

  ready(): void {
    this.launching.pump();
  }

  /** An earlier one may come after a later one, and the same more than once. */
  private turned(attempt: Attempt, turn: Turn): void {
    const task = this.taskOf(attempt);
    if (task === undefined || turn.atMs <= (task.turn?.atMs ?? 0)) return;
    task.turn = turn;
    this.core.announcer.turned(attempt.task_id);
  }

  private async recordRecovered(task: LiveTask): Promise<void> {
    const { store, announcer, now } = this.core;
    const { task_id, request } = task.record;
    const events = await store.commits.write(() =>
      // It may have ended since: no event may follow that of its end.
      task.ending === undefined
        ? store.appendEvents(task_id, [{ event_type: 'recovered', timestamp_ms: now() }], sessionOf(request))
        : [],
    );
    announcer.events(events);
  }

  /** Tries again as long as this attempt lasts: what is not written down by then is written with its end. */
  private async guard(task: LiveTask, action: () => Promise<void>): Promise<void> {
    const { launchId } = task;
    const { task_id } = task.record;
    const lasts = () =>
      !this.core.store.commits.closed &&
      this.core.live.get(task_id) === task &&
      task.ending === undefined &&
      task.launchId === launchId;
    const what = 'cannot write down what an attempt told';
    await retry(action, { log: this.core.log, what, about: { task_id }, lasts }).catch(() => undefined);
  }

  /** The task of an attempt, if it is still its current one. After a refusal another attempt takes its place. */
  private taskOf({ launch_id, launch_token }: Attempt): LiveTask | undefined {
    const task = this.core.live.byAttempt(launch_id);
    const own = task?.at(launch_id)?.attempt;
    if (own?.launch_id !== launch_id || own.launch_token !== launch_token) return undefined;
    return task?.refusal?.launch_id === launch_id ? undefined : task;
  }
}
