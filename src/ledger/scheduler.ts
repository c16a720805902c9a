import { RESOURCE_KEYS, type Resources } from '../task/resources.js';
import { AgeQueue } from './age-queue.js';
import { Budget } from './budget.js';
import { Heap } from './heap.js';
import type { Ledger } from './ledger.js';

/** A task that waits for room. */
export interface WaitingTask {
  task_id: string;
  tenant: string | undefined;
  /** High first. */
  priority: number;
  /** Unique; orders tasks of one priority, low first. */
  submit_seq: number;
  /** Since when it waits, in milliseconds on the clock that decisions are made by. */
  accepted_at_ms: number;
  reservation: Resources;
}

/** Tasks that differ in age only: when the oldest of them cannot start, none of them can. */
interface Group {
  key: string;
  tenant: string | undefined;
  priority: number;
  reservation: Resources;
  tasks: AgeQueue<WaitingTask>;
}

/** What every task needs at least. */
const ONE_SLOT: Resources = { task_slots: 1 };

/** A place in a group, in the order of age. */
interface Cursor {
  group: Group;
  task: WaitingTask;
  /** What follows in the group; made when it is first asked for. */
  rest?: Iterator<WaitingTask, undefined>;
}

/** Room set aside for starving tasks: of the machine, and of each tenant's quota. */
interface Held {
  machine: Budget;
  tenants: Map<string, Budget>;
}

/**
 * Tasks that wait, by priority and then by submission. A decision looks at groups of equal tasks, not at tasks, so that
 * it costs the same with ten thousand of them.
 *
 * A task that has waited longer than `starvationMs` comes before all others, the oldest first, whatever their priority.
 * If the machine has no room for it, what it needs is held: another task starts only when enough of that is left. If its
 * tenant's quota has no room, only that quota is held, which concerns no other tenant.
 */
export class WaitingQueue {
  readonly #starvationMs: number;
  readonly #tasks = new Map<string, { task: WaitingTask; group: Group }>();
  readonly #groups = new Map<string, Group>();

  constructor(options: { starvationMs: number }) {
    this.#starvationMs = options.starvationMs;
  }

  get size(): number {
    return this.#tasks.size;
  }

  /** Adds a task; one that waits already keeps its place. */
  add(task: WaitingTask): void {
    if (this.#tasks.has(task.task_id)) return;
    const key = groupKey(task);
    let group = this.#groups.get(key);
    if (group === undefined) {
      const { tenant, priority, reservation } = task;
      this.#groups.set(key, (group = { key, tenant, priority, reservation, tasks: new AgeQueue() }));
    }
    group.tasks.add(task);
    this.#tasks.set(task.task_id, { task, group });
  }

  /** False when it does not wait. */
  remove(taskId: string): boolean {
    const found = this.#tasks.get(taskId);
    if (found === undefined) return false;
    this.#tasks.delete(taskId);
    found.group.tasks.remove(found.task.submit_seq);
    if (found.group.tasks.size === 0) this.#groups.delete(found.group.key);
    return true;
  }

  /**
   * The task to start now, if any. It stays in the queue: the caller removes it and reserves its share before it asks
   * again.
   */
  next(ledger: Ledger, nowMs: number): string | undefined {
    if (this.#tasks.size === 0 || ledger.freeSlots() < 1) return undefined;
    const held: Held = { machine: new Budget({}), tenants: new Map() };
    return (this.#nextStarving(ledger, nowMs, held) ?? this.#nextInOrder(ledger, nowMs, held))?.task_id;
  }

  /** The `count` next in order, as if there were room for all of them. */
  peek(count: number): WaitingTask[] {
    const before = (a: Cursor, b: Cursor) => comesBefore(a.task, b.task);
    const heap = new Heap([...this.#groups.values()].flatMap(cursor), before);
    const next: WaitingTask[] = [];
    while (next.length < count) {
      const at = heap.pop();
      if (at === undefined) break;
      next.push(at.task);
      advance(at, heap);
    }
    return next;
  }

  /** Since when the longest waiting task waits, as its `accepted_at_ms`; undefined when none waits. */
  oldestAcceptedAt(): number | undefined {
    let oldest: number | undefined;
    for (const { tasks } of this.#groups.values()) {
      const since = tasks.oldest()?.accepted_at_ms;
      if (since !== undefined && (oldest === undefined || since < oldest)) oldest = since;
    }
    return oldest;
  }

  #starves(task: WaitingTask, nowMs: number): boolean {
    return nowMs - task.accepted_at_ms > this.#starvationMs;
  }

  /** The first starving task that can start; what those before it need is held. */
  #nextStarving(ledger: Ledger, nowMs: number, held: Held): WaitingTask | undefined {
    const starving: Cursor[] = [];
    for (const group of this.#groups.values()) {
      const oldest = group.tasks.oldest();
      if (oldest !== undefined && this.#starves(oldest, nowMs)) starving.push({ group, task: oldest });
    }
    const heap = new Heap(starving, (a, b) => a.task.submit_seq < b.task.submit_seq);
    for (let at = heap.pop(); at !== undefined; at = heap.pop()) {
      if (!this.#starves(at.task, nowMs)) continue;
      const { group } = at;
      if (!hasQuota(ledger, group, held)) {
        if (ledger.canEverFit(group.reservation, group.tenant) === undefined) holdQuota(group, held);
        continue;
      }
      if (ledger.fitsCapacity(group.reservation, held.machine)) return at.task;
      // What can never fit must not hold room forever.
      if (ledger.canEverFit(group.reservation, group.tenant) !== undefined) continue;
      held.machine.add(group.reservation);
      holdQuota(group, held);
      if (!ledger.fitsCapacity(ONE_SLOT, held.machine)) return undefined;
      advance(at, heap);
    }
    return undefined;
  }

  /** The first task in order that can start without taking what is held. */
  #nextInOrder(ledger: Ledger, nowMs: number, held: Held): WaitingTask | undefined {
    let best: WaitingTask | undefined;
    for (const group of this.#groups.values()) {
      const oldest = group.tasks.oldest();
      if (oldest === undefined || (best !== undefined && !comesBefore(oldest, best))) continue;
      if (this.#starves(oldest, nowMs)) continue;
      if (hasQuota(ledger, group, held) && ledger.fitsCapacity(group.reservation, held.machine))
        best = oldest;
    }
    return best;
  }
}

function comesBefore(a: WaitingTask, b: WaitingTask): boolean {
  return a.priority === b.priority ? a.submit_seq < b.submit_seq : a.priority > b.priority;
}

function groupKey({ tenant, priority, reservation }: WaitingTask): string {
  return JSON.stringify([tenant ?? null, priority, ...RESOURCE_KEYS.map((key) => reservation[key] ?? 0)]);
}

function hasQuota(ledger: Ledger, { tenant, reservation }: Group, held: Held): boolean {
  return ledger.fitsQuota(reservation, tenant, tenant === undefined ? undefined : held.tenants.get(tenant));
}

function holdQuota({ tenant, reservation }: Group, held: Held): void {
  if (tenant === undefined) return;
  let budget = held.tenants.get(tenant);
  if (budget === undefined) held.tenants.set(tenant, (budget = new Budget({})));
  budget.add(reservation);
}

/** The oldest of a group. */
function cursor(group: Group): Cursor[] {
  const task = group.tasks.oldest();
  return task === undefined ? [] : [{ group, task }];
}

function advance(at: Cursor, heap: Heap<Cursor>): void {
  let { rest } = at;
  if (rest === undefined) {
    rest = at.group.tasks.items();
    rest.next();
  }
  const task = rest.next().value;
  if (task !== undefined) heap.push({ group: at.group, task, rest });
}
