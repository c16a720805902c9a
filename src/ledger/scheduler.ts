import TinyQueue from 'tinyqueue';
import { RESOURCE_KEYS, type Resources } from '../task/resources.js';
import { AgeQueue } from './age-queue.js';
import { Budget } from './budget.js';
import type { Ledger, Refusal } from './ledger.js';
import { Ordered } from './ordered.js';

/** A task that waits for room. */
export interface WaitingTask {
  task_id: string;
  tenant: string | undefined;
  /** Tasks with a higher number start first. */
  priority: number;
  /** Unique; of tasks with the same priority the one with the lower number starts first. */
  submit_seq: number;
  /** Since when it waits, in milliseconds of the clock that the scheduler is given. */
  accepted_at_ms: number;
  reservation: Resources;
}

/** Waiting tasks that are equal in everything but age: when the oldest cannot start, none of them can. */
interface Group {
  key: string;
  tenant: string | undefined;
  priority: number;
  reservation: Resources;
  tasks: AgeQueue<WaitingTask>;
  /** The task of this group that was submitted first. */
  oldest: WaitingTask;
  /** Why there was no room for it when it was last looked at. */
  refusal: Refusal | undefined;
}

/** The least that every task needs. */
const ONE_SLOT: Resources = { task_slots: 1 };

/** How far a walk through a group in the order of age has come. */
interface Cursor {
  group: Group;
  task: WaitingTask;
  /** The tasks after the current one; made when first needed. */
  rest?: Iterator<WaitingTask, undefined>;
}

/** Room set aside for starving tasks: of the machine, and of each tenant's quota. Mostly there is none. */
interface Held {
  machine: Budget | undefined;
  tenants: Map<string, Budget>;
}

/**
 * Tasks that wait, by priority and then by submission.
 *
 * A decision looks at groups of equal tasks and not at single tasks, so that it costs the same with ten thousand of them.
 * When all tasks differ, it looks at them in the order in which they may start, stops at the first that fits, and does not
 * look again at those that did not fit before a reservation is released. With 10,000 that do not fit a decision takes 640 µs
 * without both, and with them 140 µs after a release and 1 µs otherwise.
 *
 * A task that has waited longer than `starvationMs` comes before all others whatever their priority, the oldest first. If
 * the machine has no room for it, what it needs is held: another task starts only when it fits into the rest. If its
 * tenant's quota has no room, only that quota is held, which concerns no other tenant.
 */
export class WaitingQueue {
  readonly #starvationMs: number;
  readonly #tasks = new Map<string, { task: WaitingTask; group: Group }>();
  readonly #groups = new Map<string, Group>();
  /** Groups by priority, then by age; and by age alone. */
  readonly #inOrder = new Ordered<Group, Pick<Group, 'oldest'>>((a, b) => comesBefore(a.oldest, b.oldest));
  readonly #byAge = new Ordered<Group>((a, b) => a.oldest.submit_seq < b.oldest.submit_seq);
  /** What is known not to fit until a reservation is released: every group that comes before this task, or all of them. */
  #refused: { before: WaitingTask | 'all' | undefined; releases: number } = {
    before: undefined,
    releases: 0,
  };

  constructor(options: { starvationMs: number }) {
    this.#starvationMs = options.starvationMs;
  }

  get size(): number {
    return this.#tasks.size;
  }

  /** Adds a task; one that waits already keeps its position. */
  add(task: WaitingTask): void {
    if (this.#tasks.has(task.task_id)) return;
    const key = groupKey(task);
    const found = this.#groups.get(key);
    const group = found ?? newGroup(key, task);
    group.tasks.add(task);
    this.#tasks.set(task.task_id, { task, group });
    if (found === undefined) {
      this.#groups.set(key, group);
      this.#place(group, task);
    } else if (task.submit_seq < group.oldest.submit_seq) {
      this.#unplace(group);
      this.#place(group, task);
    }
  }

  /** Removes a task. False when it does not wait. */
  remove(taskId: string): boolean {
    const found = this.#tasks.get(taskId);
    if (found === undefined) return false;
    const { task, group } = found;
    this.#tasks.delete(taskId);
    group.tasks.remove(task.submit_seq);
    if (group.oldest !== task) return true;
    this.#unplace(group);
    const oldest = group.tasks.oldest();
    if (oldest === undefined) this.#groups.delete(group.key);
    else this.#place(group, oldest);
    return true;
  }

  #place(group: Group, oldest: WaitingTask): void {
    group.oldest = oldest;
    const { before } = this.#refused;
    if (before === 'all' || (before !== undefined && comesBefore(oldest, before)))
      this.#refused.before = oldest;
    this.#inOrder.add(group);
    this.#byAge.add(group);
  }

  #unplace(group: Group): void {
    this.#inOrder.remove(group);
    this.#byAge.remove(group);
  }

  /**
   * The task to start now, if any. It stays in the queue: the caller removes it and reserves its share before it asks again.
   * @param ledger must be the same ledger in every call
   */
  next(ledger: Ledger, nowMs: number): string | undefined {
    return this.#next(ledger, nowMs, { machine: undefined, tenants: new Map() })?.task_id;
  }

  /**
   * True when a task that came now would start at once: none that waits can, and there is room for it beside what is held.
   * @param ledger as for {@link next}
   */
  startsAtOnce(task: Pick<WaitingTask, 'tenant' | 'reservation'>, ledger: Ledger, nowMs: number): boolean {
    const held: Held = { machine: undefined, tenants: new Map() };
    if (this.#next(ledger, nowMs, held) !== undefined) return false;
    return hasQuota(ledger, task, held) && ledger.fitsCapacity(task.reservation, held.machine);
  }

  /** @param held gets the room that is set aside */
  #next(ledger: Ledger, nowMs: number, held: Held): WaitingTask | undefined {
    if (this.#tasks.size === 0 || ledger.freeSlots() < 1) return undefined;
    const starving = this.#nextStarving(ledger, nowMs, held);
    // Starving tasks may hold all slots that are left.
    if (starving !== undefined || !ledger.fitsCapacity(ONE_SLOT, held.machine)) return starving;
    return this.#nextInOrder(ledger, nowMs, held);
  }

  #starves(task: WaitingTask, nowMs: number): boolean {
    return nowMs - task.accepted_at_ms > this.#starvationMs;
  }

  /**
   * The first starving task that can start; room is held for the starving tasks before it. The task submitted first is taken
   * to have waited longest.
   */
  #nextStarving(ledger: Ledger, nowMs: number, held: Held): WaitingTask | undefined {
    const groups = this.#byAge.items;
    const others = new TinyQueue<Cursor>([], (a, b) => a.task.submit_seq - b.task.submit_seq);
    for (let reached = 0; ;) {
      const group = groups[reached];
      const other = others.peek();
      let at: Cursor | undefined;
      if (group !== undefined && (other === undefined || group.oldest.submit_seq < other.task.submit_seq)) {
        at = { group, task: group.oldest };
        reached++;
      } else at = others.pop();
      if (at === undefined || !this.#starves(at.task, nowMs)) return undefined;
      const { tenant, reservation } = at.group;
      if (!hasQuota(ledger, at.group, held)) {
        if (ledger.canEverFit(reservation, tenant) === undefined) holdQuota(at.group, held);
        continue;
      }
      if (ledger.fitsCapacity(reservation, held.machine)) return at.task;
      // A task that can never fit must not hold room forever.
      if (ledger.canEverFit(reservation, tenant) !== undefined) continue;
      held.machine ??= new Budget({});
      held.machine.add(reservation);
      holdQuota(at.group, held);
      if (!ledger.fitsCapacity(ONE_SLOT, held.machine)) return undefined;
      advance(at, others);
    }
  }

  /** The first task in order that can start without taking what is held. */
  #nextInOrder(ledger: Ledger, nowMs: number, held: Held): WaitingTask | undefined {
    const groups = this.#inOrder.items;
    let fitsButForHeld: WaitingTask | undefined;
    for (let i = this.#firstToAsk(ledger); ; i++) {
      const group = groups[i];
      if (group === undefined) break;
      const { refusal, oldest } = group;
      if (refusal !== undefined && refusal.requested > refusal.budget.free(refusal.resource)) continue;
      if (this.#starves(oldest, nowMs)) continue;
      group.refusal = ledger.refusal(group.reservation, group.tenant);
      if (group.refusal !== undefined) continue;
      if (hasQuota(ledger, group, held) && ledger.fitsCapacity(group.reservation, held.machine)) {
        this.#refused.before = fitsButForHeld ?? oldest;
        return oldest;
      }
      fitsButForHeld ??= oldest;
    }
    this.#refused.before = fitsButForHeld ?? 'all';
    return undefined;
  }

  #firstToAsk({ releases }: Ledger): number {
    if (this.#refused.releases !== releases) this.#refused = { before: undefined, releases };
    const { before } = this.#refused;
    if (before === undefined) return 0;
    return before === 'all' ? this.#inOrder.items.length : this.#inOrder.position({ oldest: before });
  }
}

function newGroup(key: string, task: WaitingTask): Group {
  const { tenant, priority, reservation } = task;
  return { key, tenant, priority, reservation, tasks: new AgeQueue(), oldest: task, refusal: undefined };
}

function comesBefore(a: WaitingTask, b: WaitingTask): boolean {
  return a.priority === b.priority ? a.submit_seq < b.submit_seq : a.priority > b.priority;
}

function groupKey({ tenant, priority, reservation }: WaitingTask): string {
  return JSON.stringify([tenant ?? null, priority, ...RESOURCE_KEYS.map((key) => reservation[key] ?? 0)]);
}

function hasQuota(
  ledger: Ledger,
  { tenant, reservation }: Pick<WaitingTask, 'tenant' | 'reservation'>,
  held: Held,
): boolean {
  return ledger.fitsQuota(reservation, tenant, tenant === undefined ? undefined : held.tenants.get(tenant));
}

function holdQuota({ tenant, reservation }: Group, held: Held): void {
  if (tenant === undefined) return;
  let budget = held.tenants.get(tenant);
  if (budget === undefined) held.tenants.set(tenant, (budget = new Budget({})));
  budget.add(reservation);
}

function advance(at: Cursor, heap: TinyQueue<Cursor>): void {
  let { rest } = at;
  if (rest === undefined) {
    rest = at.group.tasks.items();
    rest.next();
  }
  const task = rest.next().value;
  if (task !== undefined) heap.push({ group: at.group, task, rest });
}
