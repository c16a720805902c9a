import { Dependencies } from '../ledger/dependencies.js';
import type { WaitingTask as QueuedTask } from '../ledger/flow.js';
import type { Ledger } from '../ledger/ledger.js';
import type { QueueRule } from '../ledger/queue-limits.js';
import type { Delay, WaitingQueue } from '../ledger/scheduler.js';
import { SessionLines, type SessionWait } from '../ledger/session-lines.js';
import { claimOf, type LiveRecord, type RunningTask, type WaitingTask } from '../store/records.js';
import { ITEMS } from '../store/tasks/task-row.js';
import { unmetDemand, type Machine } from '../task/demands.js';
import { sessionOf } from '../task/session-of.js';
import type { LiveTask, Waiting } from './live-tasks.js';
import { hindranceOf, NotYet, type Hindrance, type Startable } from './not-yet.js';
import type { Clocks } from './steady-clock.js';

/** In the queue, among those that demand another machine, or among those that may not start yet. */
export type Whereabouts = 'queue' | 'unmatched' | 'not_yet';

/** A task that waits for its turn in its session. */
export interface SessionTask {
  task_id: string;
  submit_seq: number;
  phase: Pick<Waiting, 'record' | 'mayStartAt' | 'place'>;
}

/** Which tasks wait, which of them is the next, and who holds what. It decides in memory; whoever asks commits it. */
export class Schedule {
  /** False once the daemon is stopping: nothing is accepted or started any more. */
  accepting = true;
  /** Tasks that are committed as running but whose attempt never began: they get another one before anything new starts. */
  readonly unlaunched = new Set<LiveTask>();
  /** Waiting tasks that demand what this machine does not have: they are not in the queue. */
  readonly unmatched = new Set<string>();
  /** Waiting tasks that may not start yet, whatever room there is: they are not in the queue. */
  readonly notYet = new NotYet();
  /** What tasks wait for of each other. */
  readonly dependencies = new Dependencies();

  constructor(
    readonly ledger: Ledger,
    private readonly queue: WaitingQueue,
    private readonly machine: Machine,
    readonly clocks: Clocks,
    /** Whose turn it is in sessions. */
    private readonly sessions = new SessionLines<SessionTask>(() => 1),
  ) {}

  /** How many tasks wait for room on this machine, or will when it is their turn in their session. */
  get queued(): number {
    return this.queue.size + this.sessions.size;
  }

  /** How many tasks wait, for whatever it is. */
  get waiting(): number {
    return this.queued + this.unmatched.size + this.notYet.size;
  }

  /** Why a task that is like this may not start yet; undefined when it may. */
  hindranceOf(task: Startable & { task_id?: string }): Hindrance | undefined {
    const { task_id, awaits = task_id !== undefined && this.dependencies.isOpen(task_id) } = task;
    return hindranceOf(this.clocks, awaits ? { ...task, awaits } : task);
  }

  /** Where a task waits that is like this. */
  whereWaits(task: Startable): Whereabouts {
    if (this.hindranceOf(task) !== undefined) return 'not_yet';
    return unmetDemand(task.request, this.machine) === undefined ? 'queue' : 'unmatched';
  }

  /** Puts a task that may start into the queue, or among those that demand another machine, or that wait for their turn. */
  add(phase: SessionTask['phase']): void {
    const { record, mayStartAt, place } = phase;
    const { task_id, request, submit_seq } = record;
    if (unmetDemand(request, this.machine) !== undefined) this.unmatched.add(task_id);
    else if (this.hasTurn(phase))
      this.queue.add(
        // Not spread, as in withDecisions.
        Object.assign(claimOf(record), {
          task_id,
          priority: request.policy.priority,
          submit_seq: place ?? submit_seq,
          // Who has waited long for a turn has not waited long for room.
          accepted_at_ms:
            request.in_session === true
              ? Math.max(mayStartAt, this.sessions.turnSince(task_id) ?? mayStartAt)
              : mayStartAt,
        }),
      );
  }

  /** Sets a task aside that may not start yet. @returns why; undefined for one that may */
  setAside(task: WaitingTask): Hindrance | undefined {
    const hindrance = this.hindranceOf(task);
    if (hindrance === undefined) return undefined;
    const { task_id, submit_seq } = task;
    this.notYet.add({ ...hindrance, task_id, submit_seq });
    const session = sessionOf(task.request);
    // Between its attempts nobody else may use the workspace; one that is held lets others pass.
    if (session !== undefined)
      if (hindrance.reason === 'retry_backoff') this.sessions.keep(session, task_id, this.clocks.steady());
      else this.passTurn(task_id);
    return hindrance;
  }

  /** False for a task that waits from now on for its turn in its session. */
  private hasTurn(phase: SessionTask['phase']): boolean {
    const { request, task_id, submit_seq } = phase.record;
    const session = sessionOf(request);
    return (
      session === undefined ||
      this.sessions.enter(session, { task_id, submit_seq, phase }, this.clocks.steady())
    );
  }

  /** Why a task waits for its turn in its session; undefined for any other. */
  sessionWaitOf(taskId: string): SessionWait | undefined {
    return this.sessions.waitOf(taskId);
  }

  /** The tasks of a session that have their turn. */
  turnsOf(session: string): string[] {
    return this.sessions.turnsOf(session);
  }

  /** To be called when more tasks of a session may run at once than before. */
  advanceSession(session: string): void {
    for (const { phase } of this.sessions.advance(session, this.clocks.steady())) this.add(phase);
  }

  /** Gives the turn that an ended task had in its session to the next. */
  leaveSession({ record }: LiveTask): void {
    if (record.request.in_session === true) this.passTurn(record.task_id);
  }

  private passTurn(taskId: string): void {
    for (const { phase } of this.sessions.leave(taskId, this.clocks.steady())) this.add(phase);
  }

  /** Changes what holds of a queue. @param rule undefined: nothing */
  setRule(queue: string, rule: QueueRule | undefined): void {
    this.queue.setRule(queue, rule);
  }

  /** Tasks that wait for room, the `count` that are next in order. @param queue undefined: of all */
  nextOf(queue: string | undefined, count: number): QueuedTask[] {
    return this.queue.peek(count, queue);
  }

  /**
   * How long the task that was submitted first has waited for room, in milliseconds; undefined when none waits.
   * @param queue undefined: of all
   */
  oldestWaitingMs(queue: string | undefined): number | undefined {
    const oldest = this.queue.oldestOf(queue);
    return oldest && Math.max(0, Math.round(this.clocks.steady() - oldest.accepted_at_ms));
  }

  /** True for a task that waits here: not for one that is about to start, to end or to be changed. */
  waits(taskId: string): boolean {
    return (
      this.queue.has(taskId) ||
      this.unmatched.has(taskId) ||
      this.notYet.has(taskId) ||
      this.sessions.waits(taskId)
    );
  }

  /** Why a task in the queue does not start; undefined for any other. Costs the same whatever else waits. */
  delayOf(taskId: string): Delay | undefined {
    return this.queue.delayOf(taskId);
  }

  /** How many tasks of its tenant in its queue come before a task; undefined for one that is not in the queue. */
  aheadOf(taskId: string): number | undefined {
    return this.queue.aheadOf(taskId);
  }

  /** Takes a task out of the queue: it is about to end, or to get another plan or request. */
  withdraw(taskId: string): void {
    this.queue.remove(taskId);
    this.unmatched.delete(taskId);
    this.notYet.delete(taskId);
    this.sessions.withdraw(taskId);
  }

  /** The task to start now, if any. To be claimed before the next is asked for. */
  next(): string | undefined {
    return this.accepting ? this.queue.next(this.clocks.steady()) : undefined;
  }

  /** True when a task that is not in the queue yet is the next to start. */
  isNext(task: WaitingTask): boolean {
    if (!this.accepting || this.whereWaits(task) !== 'queue') return false;
    // Its turn is given once it is written down.
    if (task.request.in_session === true) return false;
    const { priority } = task.request.policy;
    return this.queue.startsAtOnce({ ...claimOf(task), priority }, this.clocks.steady());
  }

  /** Gives a task its share of the ledger, for which there is room; it waits no longer. @param atMs Unix time */
  claim(record: LiveRecord, atMs: number): void {
    this.queue.remove(record.task_id);
    this.ledger.reserve(record.task_id, claimOf(record), atMs);
  }

  /** Takes note of the share that a running task has had since before this daemon started. */
  restore(record: RunningTask): void {
    const session = sessionOf(record.request);
    if (session !== undefined) this.sessions.hold(session, record.task_id, this.clocks.steady());
    const items = record.unreadable?.includes(ITEMS) === true ? 'unknown' : (record.items ?? {});
    this.ledger.restore(
      record.task_id,
      claimOf(record),
      record.reserved_at_ms ?? record.updated_at_ms,
      items,
    );
  }

  /** Takes the share of a task back; it neither waits nor runs. */
  release(task: LiveTask): void {
    const { task_id } = task.record;
    this.ledger.release(task_id);
    this.queue.remove(task_id);
    this.unlaunched.delete(task);
    this.unmatched.delete(task_id);
    this.notYet.delete(task_id);
    this.sessions.withdraw(task_id);
    this.dependencies.delete(task_id);
  }
}
