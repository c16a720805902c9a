import { FairOrder } from './fair-order.js';
import { foresee } from './foresee.js';
import { Flow, Held, ONE_SLOT, type Group, type WaitingTask } from './flow.js';
import type { Claim, Lack, Ledger } from './ledger.js';
import type { QueueRule } from './queue-limits.js';
import { Refusals } from './refusals.js';

/** Why a waiting task does not start now. */
export interface Delay {
  reason: 'capacity' | 'quota' | 'queue_limit' | 'queue_paused' | 'concurrency';
  /** Absent where there is enough for it, and others come first. */
  lack?: Lack | undefined;
}

const REASONS = {
  machine: 'capacity',
  tenant: 'quota',
  queue: 'queue_limit',
  lane: 'queue_limit',
  concurrency: 'concurrency',
} as const;

/**
 * Tasks that wait.
 *
 * Queues of a higher priority come first. Among those of the same, tenants have their turns so that each can have as much of
 * the machine as any other, and of a tenant its queues likewise: see {@link FairOrder}. Within one queue of a tenant, tasks go by
 * priority and then by age. A paused queue, or one that has all that it may have, delays nobody else.
 *
 * A task that has waited longer than `starvationMs` comes before all others of its tenant in its queue whatever their priority,
 * the oldest first, and its queue's low priority does not count any more. If the machine has no room for it when it has its
 * turn, what it needs is held: another task, of whomever has his turn later, starts only when it fits into the rest. If its tenant's
 * quota, its queue or its key has no room, only that is held, which concerns no other.
 */
export class WaitingQueue {
  readonly #ledger: Ledger;
  readonly #starvationMs: number;
  readonly #tasks = new Map<string, { task: WaitingTask; flow: Flow; group: Group }>();
  /** By queue, then by tenant. */
  readonly #flows = new Map<string, Map<string | undefined, Flow>>();
  readonly #order: FairOrder;
  /** What none of all tasks fits into; undefined when one may fit. */
  #stuckFor: Refusals | undefined;

  /** @param options.ledger tells this alone of its changes */
  constructor({ ledger, starvationMs }: { ledger: Ledger; starvationMs: number }) {
    this.#ledger = ledger;
    this.#starvationMs = starvationMs;
    this.#order = new FairOrder(ledger.capacity);
    ledger.onChange((claim, change) => {
      this.#order.changed(claim, change, this.#flows.get(claim.queue)?.get(claim.tenant));
    });
  }

  get size(): number {
    return this.#tasks.size;
  }

  /** Adds a task; one that waits already keeps its position. */
  add(task: WaitingTask): void {
    if (this.#tasks.has(task.task_id)) return;
    const { queue, tenant } = task;
    const found = this.#flows.get(queue)?.get(tenant);
    const flow = found ?? new Flow(task, this.#ledger, this.#starvationMs);
    this.#ledger.waits(task);
    const group = flow.add(task);
    this.#tasks.set(task.task_id, { task, flow, group });
    const refusal = this.#ledger.refusal(task);
    if (refusal === undefined) this.#stuckFor = undefined;
    else this.#stuckFor?.add(refusal);
    if (found !== undefined) return;
    const ofQueue = this.#flows.get(queue) ?? new Map<string | undefined, Flow>();
    this.#flows.set(queue, ofQueue.set(tenant, flow));
    this.#order.add(flow, this.#ledger.queueRule(task.queue).priority, task.submit_seq);
  }

  /** Removes a task. False when it does not wait. */
  remove(taskId: string): boolean {
    const found = this.#tasks.get(taskId);
    if (found === undefined) return false;
    const { task, flow, group } = found;
    this.#tasks.delete(taskId);
    flow.remove(task, group);
    this.#ledger.waitsNoMore(task);
    if (flow.oldest !== undefined) return true;
    const ofQueue = this.#flows.get(task.queue);
    ofQueue?.delete(task.tenant);
    if (ofQueue?.size === 0) this.#flows.delete(task.queue);
    this.#order.remove(flow);
    return true;
  }

  /** @param rule undefined: as if nothing had ever been said about the queue */
  setRule(queue: string, rule: QueueRule | undefined): void {
    this.#ledger.setQueueRule(queue, rule);
    for (const flow of this.#flowsOf(queue)) {
      if (flow.oldest === undefined) continue;
      this.#order.move(flow, this.#ledger.queueRule(queue).priority, flow.oldest.submit_seq);
    }
  }

  /**
   * The task to start now, if any. It stays in the queue: the caller removes it and reserves its share before it asks again.
   */
  next(nowMs: number): string | undefined {
    if (this.#tasks.size === 0 || this.#ledger.freeSlots() < 1) return undefined;
    if (this.#stuckFor?.hold() === true) return undefined;
    this.#stuckFor = undefined;
    const held = new Held();
    const asked: Flow[] = [];
    for (const flow of this.#order.flows((each) => each.starves(nowMs))) {
      const task = flow.next(nowMs, held);
      if (task !== undefined) return task.task_id;
      if (!held.leavesMachine(this.#ledger, ONE_SLOT)) return undefined;
      asked.push(flow);
    }
    this.#stuckFor = stuckFor(asked);
    return undefined;
  }

  /**
   * The `count` tasks that are next in order, as if there were room for all of them and none ended.
   * @param queue only of this one
   */
  peek(count: number, queue?: string): WaitingTask[] {
    return foresee(count, this.#flowsOf(queue), this.#order, this.#ledger.capacity);
  }

  /** The task that was submitted first; undefined when none waits. @param queue undefined: of all */
  oldestOf(queue: string | undefined): WaitingTask | undefined {
    const oldest = this.#flowsOf(queue).flatMap((flow) => flow.oldest ?? []);
    return oldest.reduce<WaitingTask | undefined>(
      (first, task) => (first === undefined || task.submit_seq < first.submit_seq ? task : first),
      undefined,
    );
  }

  /** True for a task that waits here. */
  has(taskId: string): boolean {
    return this.#tasks.has(taskId);
  }

  /** Why a task does not start; undefined when it does not wait here. Costs the same whatever else waits. */
  delayOf(taskId: string): Delay | undefined {
    const found = this.#tasks.get(taskId);
    if (found === undefined) return undefined;
    const { task } = found;
    if (this.#ledger.queueRule(task.queue).paused) return { reason: 'queue_paused' };
    const lack = this.#ledger.lack(task);
    return { reason: lack === undefined ? 'capacity' : REASONS[lack.of], lack };
  }

  /** How many tasks of its tenant in its queue come before a task; undefined when it does not wait here. */
  aheadOf(taskId: string): number | undefined {
    const found = this.#tasks.get(taskId);
    return found?.flow.countBefore(found.task);
  }

  /** True when a task that came now would be the next to start. */
  startsAtOnce(task: Claim & Pick<WaitingTask, 'priority'>, nowMs: number): boolean {
    if (this.#ledger.freeSlots() < 1 || !this.#ledger.fits(task)) return false;
    if (this.#tasks.size === 0) return true;
    this.add({ ...task, submit_seq: Infinity, accepted_at_ms: nowMs, task_id: NEWCOMER });
    const isFirst = this.next(nowMs) === NEWCOMER;
    this.remove(NEWCOMER);
    return isFirst;
  }

  #flowsOf(queue: string | undefined): Flow[] {
    if (queue !== undefined) return [...(this.#flows.get(queue)?.values() ?? [])];
    return [...this.#flows.values()].flatMap((ofQueue) => [...ofQueue.values()]);
  }
}

/** What none of the tasks of all flows fits into; undefined when one may fit. */
function stuckFor(flows: readonly Flow[]): Refusals | undefined {
  const all = new Refusals();
  for (const flow of flows) {
    if (flow.stuckFor === undefined) return undefined;
    all.merge(flow.stuckFor);
  }
  return all;
}

/** No task has this id: it is longer than ids are. */
const NEWCOMER = 'x'.repeat(1000);
