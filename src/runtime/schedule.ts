import type { WaitingTask as QueuedTask } from '../ledger/flow.js';
import type { Ledger } from '../ledger/ledger.js';
import type { QueueRule } from '../ledger/queue-limits.js';
import type { Delay, WaitingQueue } from '../ledger/scheduler.js';
import { claimOf, type LiveRecord, type RunningTask, type WaitingTask } from '../store/records.js';
import { ITEMS } from '../store/tasks/task-row.js';
import { unmetDemand, type Machine } from '../task/demands.js';
import type { LiveTask, Waiting } from './live-tasks.js';

/** Which tasks wait, which of them is the next, and who holds what. It decides in memory; whoever asks commits it. */
export class Schedule {
  /** False once the daemon is stopping: nothing is accepted or started any more. */
  accepting = true;
  /** Tasks that are committed as running but whose attempt never began: they get another one before anything new starts. */
  readonly unlaunched = new Set<LiveTask>();
  /** Waiting tasks that demand what this machine does not have: they are not in the queue. */
  readonly unmatched = new Set<string>();
  /** Tasks whose next attempt is not due yet: they are not in the queue. */
  readonly notDue = new Set<string>();

  /** @param steady milliseconds of a clock that is never set */
  constructor(
    readonly ledger: Ledger,
    private readonly queue: WaitingQueue,
    private readonly machine: Machine,
    private readonly steady: () => number,
  ) {}

  /** How many tasks wait for room on this machine, or will when their next attempt is due. */
  get queued(): number {
    return this.queue.size + this.notDue.size;
  }

  /** Puts a task into the queue, or among those that demand another machine, or that are not due. */
  add({ record, mayStartAt }: Pick<Waiting, 'record' | 'mayStartAt'>): void {
    const { task_id, request, submit_seq } = record;
    if (mayStartAt > this.steady()) this.notDue.add(task_id);
    else if (unmetDemand(request, this.machine) !== undefined) this.unmatched.add(task_id);
    else
      this.queue.add(
        // Not spread, as in withDecisions.
        Object.assign(claimOf(record), {
          task_id,
          priority: request.policy.priority,
          submit_seq,
          accepted_at_ms: mayStartAt,
        }),
      );
  }

  /** Changes what holds of a queue. @param rule undefined: nothing */
  setRule(queue: string, rule: QueueRule | undefined): void {
    this.queue.setRule(queue, rule);
  }

  /** Tasks of a queue that wait for room, the `count` that are next in order. */
  nextOf(queue: string, count: number): QueuedTask[] {
    return this.queue.peek(count, queue);
  }

  /** How long the task of a queue that was submitted first has waited for room, in milliseconds; undefined when none waits. */
  oldestWaitingMs(queue: string): number | undefined {
    const oldest = this.queue.oldestOf(queue);
    return oldest && Math.max(0, Math.round(this.steady() - oldest.accepted_at_ms));
  }

  /** True for a task that waits here: not for one that is about to start, to end or to be changed. */
  waits(taskId: string): boolean {
    return this.queue.has(taskId) || this.unmatched.has(taskId) || this.notDue.has(taskId);
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
    this.notDue.delete(taskId);
  }

  /** The task to start now, if any. To be claimed before the next is asked for. */
  next(): string | undefined {
    return this.accepting ? this.queue.next(this.steady()) : undefined;
  }

  /** True when a task that is not in the queue yet is the next to start. */
  isNext(task: WaitingTask): boolean {
    if (!this.accepting || unmetDemand(task.request, this.machine) !== undefined) return false;
    const { priority } = task.request.policy;
    return this.queue.startsAtOnce({ ...claimOf(task), priority }, this.steady());
  }

  /** Gives a task its share of the ledger, for which there is room; it waits no longer. @param atMs Unix time */
  claim(record: LiveRecord, atMs: number): void {
    this.queue.remove(record.task_id);
    this.ledger.reserve(record.task_id, claimOf(record), atMs);
  }

  /** Takes note of the share that a running task has had since before this daemon started. */
  restore(record: RunningTask): void {
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
    this.notDue.delete(task_id);
  }
}
