import type { Resources } from '../task/resources.js';
import { Budget } from './budget.js';

/** What an operator has said about one queue. */
export interface QueueRule {
  /** How many of its tasks may run at once; absent: as many as there is room for. */
  max_running?: number | undefined;
  /** None of its tasks start; those that run go on. */
  paused: boolean;
  /** Queues with a higher number come first. */
  priority: number;
  /** The same for single lanes of it. */
  lanes: ReadonlyMap<string, { max_running: number }>;
}

/** What holds of a queue that nobody has said anything about. */
export const NO_RULE: QueueRule = { paused: false, priority: 0, lanes: new Map() };

/** Where a task waits, and what it counts for while it runs. */
export interface QueuePlace {
  queue: string;
  lane: string | undefined;
}

interface Counted {
  budget: Budget;
  lanes: Map<string, Budget>;
}

const ONE = { task_slots: 1 };

/**
 * How many tasks run in each queue and lane, and how many may. A budget of slots for each that has a bound or a running
 * task: a paused queue has none.
 */
export class QueueLimits {
  readonly #rules = new Map<string, QueueRule>();
  readonly #queues = new Map<string, Counted>();

  rule(queue: string): QueueRule {
    return this.#rules.get(queue) ?? NO_RULE;
  }

  /** @param rule undefined: as if nothing had ever been said about it */
  setRule(queue: string, rule: QueueRule | undefined): void {
    if (rule === undefined) this.#rules.delete(queue);
    else this.#rules.set(queue, rule);
    const { paused, max_running, lanes } = rule ?? NO_RULE;
    const counted = this.#counted(queue);
    counted.budget.limitTo(slots(paused ? 0 : max_running));
    for (const name of new Set([...counted.lanes.keys(), ...lanes.keys()]))
      lane(counted, name).limitTo(slots(lanes.get(name)?.max_running));
    this.#forgetUnused(queue, counted);
  }

  /** Budgets that bound a task of this place, or count it. */
  budgetsOf({ queue, lane }: QueuePlace): Budget[] {
    const counted = this.#queues.get(queue);
    if (counted === undefined) return [];
    const ofLane = lane === undefined ? undefined : counted.lanes.get(lane);
    return ofLane === undefined ? [counted.budget] : [counted.budget, ofLane];
  }

  /** How many slots its running tasks have. */
  slotsOf(queue: string): number {
    return this.#queues.get(queue)?.budget.used().task_slots ?? 0;
  }

  started(place: QueuePlace): void {
    const counted = this.#counted(place.queue);
    counted.budget.add(ONE);
    if (place.lane !== undefined) lane(counted, place.lane).add(ONE);
  }

  ended(place: QueuePlace): void {
    for (const budget of this.budgetsOf(place)) budget.subtract(ONE);
    this.#forgetUnused(place.queue, this.#counted(place.queue));
  }

  #counted(queue: string): Counted {
    let counted = this.#queues.get(queue);
    if (counted === undefined)
      this.#queues.set(queue, (counted = { budget: new Budget({}), lanes: new Map() }));
    return counted;
  }

  #forgetUnused(queue: string, { budget, lanes }: Counted): void {
    for (const [name, ofLane] of lanes) if (isIdle(ofLane)) lanes.delete(name);
    if (isIdle(budget) && lanes.size === 0) this.#queues.delete(queue);
  }
}

function slots(bound: number | undefined): Partial<Resources> {
  return bound === undefined ? {} : { task_slots: bound };
}

function lane({ lanes }: Counted, name: string): Budget {
  let budget = lanes.get(name);
  if (budget === undefined) lanes.set(name, (budget = new Budget({})));
  return budget;
}

function isIdle(budget: Budget): boolean {
  return budget.isUnused && budget.limits.task_slots === undefined;
}
