import TinyQueue from 'tinyqueue';
import { RESOURCE_KEYS, type Resources } from '../task/resources.js';
import { Budget } from './budget.js';
import type { Claim, Ledger, Refusal } from './ledger.js';
import { Ordered } from './ordered.js';
import { Refusals } from './refusals.js';

/** A task that waits for room. */
export interface WaitingTask extends Claim {
  task_id: string;
  /** Tasks of its queue with a higher number start first. */
  priority: number;
  /** Unique; of tasks with the same priority the one with the lower number starts first. */
  submit_seq: number;
  /** Since when it waits, in milliseconds of the clock that the scheduler is given. */
  accepted_at_ms: number;
}

/** Waiting tasks that are equal in everything but age: when the oldest cannot start, none of them can. */
export interface Group extends Claim {
  key: string;
  priority: number;
  /** By age. */
  tasks: Ordered<WaitingTask>;
  /** The task of this group that was submitted first. */
  oldest: WaitingTask;
  /** Why there was no room for it when it was last looked at. */
  refusal: Refusal | undefined;
}

/** The least that every task needs. */
export const ONE_SLOT: Resources = { task_slots: 1 };

/** How far a walk through a group in the order of age has come. */
interface Cursor {
  group: Group;
  task: WaitingTask;
  /** The tasks after the current one; made when first needed. */
  rest?: Iterator<WaitingTask, undefined>;
}

/** Room set aside for starving tasks: of the machine, and of what bounds them beside it. Mostly there is none. */
export class Held {
  machine: Budget | undefined;
  readonly #bounds = new Map<Budget, Budget>();

  /** True when the claim fits its own bounds beside what is set aside. */
  leavesBounds(ledger: Ledger, claim: Claim): boolean {
    return ledger.boundsOf(claim).every((bound) => bound.fits(claim.reservation, this.#bounds.get(bound)));
  }

  /** True when it fits the machine beside what is set aside. */
  leavesMachine(ledger: Ledger, reservation: Resources): boolean {
    return ledger.fitsCapacity(reservation, this.machine);
  }

  holdMachine({ reservation }: Claim): void {
    this.machine ??= new Budget({});
    this.machine.add(reservation);
  }

  holdBounds(ledger: Ledger, claim: Claim): void {
    for (const bound of ledger.boundsOf(claim)) {
      let held = this.#bounds.get(bound);
      if (held === undefined) this.#bounds.set(bound, (held = new Budget({})));
      held.add(claim.reservation);
    }
  }
}

/**
 * The waiting tasks of one tenant in one queue, by priority and then by age.
 *
 * A decision looks at groups of equal tasks and not at single tasks, so that it costs the same with ten thousand of them.
 * When all tasks differ, it looks at them in the order in which they may start, stops at the first that fits, and does not
 * look again at those that did not fit before so much is released that there may be room for one of them.
 */
export class Flow {
  readonly tenant: string | undefined;
  readonly queue: string;
  readonly #ledger: Ledger;
  readonly #starvationMs: number;
  readonly #groups = new Map<string, Group>();
  /** Groups by priority, then by age; and by age alone. */
  readonly #inOrder = new Ordered<Group, Pick<Group, 'oldest'>>((a, b) => comesBefore(a.oldest, b.oldest));
  readonly #byAge = new Ordered<Group>((a, b) => a.oldest.submit_seq < b.oldest.submit_seq);
  readonly #tasks = new Ordered<WaitingTask>(comesBefore);
  /** What is known not to fit until a reservation is released: every group that comes before this task, or all of them. */
  #refused: { before: WaitingTask | 'all' | undefined; releases: number } = {
    before: undefined,
    releases: 0,
  };
  /** Why that is so; complete where it is all of them. */
  readonly #refusals = new Refusals();
  /** A starving task would fit but for what is held. */
  #starvesForHeld = false;

  constructor({ tenant, queue }: Pick<Claim, 'tenant' | 'queue'>, ledger: Ledger, starvationMs: number) {
    this.tenant = tenant;
    this.queue = queue;
    this.#ledger = ledger;
    this.#starvationMs = starvationMs;
  }

  /** The task that was submitted first; undefined when none waits. */
  get oldest(): WaitingTask | undefined {
    return this.#byAge.first?.oldest;
  }

  add(task: WaitingTask): Group {
    const key = groupKey(task);
    const found = this.#groups.get(key);
    const group = found ?? newGroup(key, task);
    group.tasks.add(task);
    this.#tasks.add(task);
    if (found === undefined) {
      this.#groups.set(key, group);
      this.#place(group, task);
    } else if (task.submit_seq < group.oldest.submit_seq) {
      this.#unplace(group);
      this.#place(group, task);
    }
    return group;
  }

  /** @param group where it was added */
  remove(task: WaitingTask, group: Group): void {
    group.tasks.remove(task);
    this.#tasks.remove(task);
    if (group.oldest !== task) return;
    this.#unplace(group);
    const oldest = group.tasks.first;
    if (oldest === undefined) this.#groups.delete(group.key);
    else this.#place(group, oldest);
  }

  /**
   * The task to start now, if any: a starving one, the oldest first, or the first in order that can start.
   * @param held what is set aside for starving tasks of other flows; gets what is set aside for those of this one
   */
  next(nowMs: number, held: Held): WaitingTask | undefined {
    const starving = this.starves(nowMs) ? this.#nextStarving(nowMs, held) : undefined;
    // Starving tasks may hold all slots that are left.
    if (starving !== undefined || !held.leavesMachine(this.#ledger, ONE_SLOT)) return starving;
    return this.#nextInOrder(nowMs, held);
  }

  /** What none of its tasks fits into, whatever is held and for how long they have waited; undefined when one may fit. */
  get stuckFor(): Refusals | undefined {
    return this.#refused.before === 'all' && !this.#starvesForHeld ? this.#refusals : undefined;
  }

  /** True when its oldest task has waited for too long. */
  starves(nowMs: number): boolean {
    return this.oldest !== undefined && this.#starves(this.oldest, nowMs);
  }

  /** All tasks in order, as if there were room for all of them. The flow must not change meanwhile. */
  tasks(): Iterator<WaitingTask, undefined> {
    return this.#tasks.items();
  }

  /** How many of its tasks come before this one in order. */
  countBefore(task: WaitingTask): number {
    return this.#tasks.position(task);
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

  #starves(task: WaitingTask, nowMs: number): boolean {
    return nowMs - task.accepted_at_ms > this.#starvationMs;
  }

  /**
   * The first starving task that can start; room is held for the starving tasks before it. The task submitted first is taken
   * to have waited longest.
   */
  #nextStarving(nowMs: number, held: Held): WaitingTask | undefined {
    const groups = this.#byAge.items();
    let group = groups.next().value;
    const others = new TinyQueue<Cursor>([], (a, b) => a.task.submit_seq - b.task.submit_seq);
    for (;;) {
      const other = others.peek();
      let at: Cursor | undefined;
      if (group !== undefined && (other === undefined || group.oldest.submit_seq < other.task.submit_seq)) {
        at = { group, task: group.oldest };
        group = groups.next().value;
      } else at = others.pop();
      if (at === undefined || !this.#starves(at.task, nowMs)) return undefined;
      const leavesBounds = held.leavesBounds(this.#ledger, at.group);
      if (leavesBounds && held.leavesMachine(this.#ledger, at.group.reservation)) return at.task;
      // What can never fit, or not before its queue goes on, must not hold room for so long.
      if (!this.#ledger.wouldFitAlone(at.group)) continue;
      held.holdBounds(this.#ledger, at.group);
      if (!leavesBounds) continue;
      held.holdMachine(at.group);
      if (!held.leavesMachine(this.#ledger, ONE_SLOT)) return undefined;
      advance(at, others);
    }
  }

  /** The first task in order that can start without taking what is held. */
  #nextInOrder(nowMs: number, held: Held): WaitingTask | undefined {
    let fitsButForHeld: WaitingTask | undefined;
    const first = this.#firstToAsk();
    // So are mostly all flows but one, each time that anything starts.
    if (first === this.#inOrder.size) {
      this.#refused.before = 'all';
      return undefined;
    }
    if (first === 0) {
      this.#refusals.clear();
      this.#starvesForHeld = false;
    }
    for (const group of this.#inOrder.items(first)) {
      const { oldest } = group;
      if (this.#isRefused(group, nowMs)) continue;
      if (held.leavesBounds(this.#ledger, group) && held.leavesMachine(this.#ledger, group.reservation)) {
        this.#refused.before = fitsButForHeld ?? oldest;
        return oldest;
      }
      fitsButForHeld ??= oldest;
    }
    this.#refused.before = fitsButForHeld ?? 'all';
    return undefined;
  }

  /** True for a group of which no task can start in order: it does not fit, or its oldest starves. */
  #isRefused(group: Group, nowMs: number): boolean {
    const { refusal } = group;
    const stillHolds = refusal !== undefined && refusal.requested > refusal.budget.free(refusal.resource);
    if (!stillHolds) group.refusal = this.#ledger.refusal(group);
    if (group.refusal !== undefined) this.#refusals.add(group.refusal);
    else if (this.#starves(group.oldest, nowMs)) this.#starvesForHeld = true;
    else return false;
    return true;
  }

  #firstToAsk(): number {
    const { releases } = this.#ledger;
    if (this.#refused.releases !== releases) {
      const isSame = this.#refused.before === 'all' && this.#refusals.hold();
      this.#refused = { before: isSame ? 'all' : undefined, releases };
    }
    const { before } = this.#refused;
    if (before === undefined) return 0;
    return before === 'all' ? this.#inOrder.size : this.#inOrder.position({ oldest: before });
  }
}

function newGroup(key: string, task: WaitingTask): Group {
  const { tenant, queue, lane, priority, reservation, concurrency } = task;
  const tasks = new Ordered<WaitingTask>((a, b) => a.submit_seq < b.submit_seq);
  return {
    ...{ key, tenant, queue, lane, priority, reservation, concurrency },
    ...{ tasks, oldest: task, refusal: undefined },
  };
}

function comesBefore(a: WaitingTask, b: WaitingTask): boolean {
  return a.priority === b.priority ? a.submit_seq < b.submit_seq : a.priority > b.priority;
}

function groupKey({ lane, priority, reservation, concurrency }: WaitingTask): string {
  const { key = null, limit = null } = concurrency ?? {};
  const amounts = RESOURCE_KEYS.map((each) => reservation[each] ?? 0);
  return JSON.stringify([lane ?? null, priority, key, limit, ...amounts, reservation.resources]);
}

function advance(at: Cursor, heap: TinyQueue<Cursor>): void {
  const rest = at.rest ?? at.group.tasks.items(1);
  const task = rest.next().value;
  if (task !== undefined) heap.push({ group: at.group, task, rest });
}
