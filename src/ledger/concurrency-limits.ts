import { Budget } from './budget.js';

/** How many tasks of the same tenant and key may run beside each other, as one of them says. */
export interface ConcurrencyClaim {
  key: string;
  limit: number;
}

/** Whose key it is. */
interface KeyPlace {
  tenant: string | undefined;
  concurrency?: ConcurrencyClaim | undefined;
}

interface Counted {
  running: number;
  /** By limit: tasks with the same key may say different ones. */
  budgets: Map<number, { budget: Budget; uses: number }>;
}

const ONE = { task_slots: 1 };

/** How many tasks run with each key. A key is known as long as a task waits or runs with it. */
export class ConcurrencyLimits {
  readonly #keys = new Map<string, Counted>();

  /** The budget that bounds a task with a key; undefined without one. */
  budgetOf(place: KeyPlace): Budget | undefined {
    const { concurrency } = place;
    if (concurrency === undefined) return undefined;
    const counted = this.#keys.get(nameOf(place));
    const found = counted?.budgets.get(concurrency.limit);
    return found?.budget ?? newBudget(concurrency.limit, counted?.running ?? 0);
  }

  /** A task waits or runs: what bounds it stays the same until it does not. */
  enter(place: KeyPlace): void {
    const { concurrency } = place;
    if (concurrency === undefined) return;
    const name = nameOf(place);
    let counted = this.#keys.get(name);
    if (counted === undefined) this.#keys.set(name, (counted = { running: 0, budgets: new Map() }));
    const found = counted.budgets.get(concurrency.limit);
    if (found !== undefined) found.uses++;
    else {
      const budget = newBudget(concurrency.limit, counted.running);
      counted.budgets.set(concurrency.limit, { budget, uses: 1 });
    }
  }

  leave(place: KeyPlace): void {
    const { concurrency } = place;
    if (concurrency === undefined) return;
    const name = nameOf(place);
    const counted = this.#keys.get(name);
    const found = counted?.budgets.get(concurrency.limit);
    if (counted === undefined || found === undefined) return;
    if (--found.uses === 0) counted.budgets.delete(concurrency.limit);
    if (counted.budgets.size === 0) this.#keys.delete(name);
  }

  started(place: KeyPlace): void {
    this.enter(place);
    const counted = this.#counted(place);
    if (counted === undefined) return;
    counted.running++;
    for (const { budget } of counted.budgets.values()) budget.add(ONE);
  }

  ended(place: KeyPlace): void {
    const counted = this.#counted(place);
    if (counted === undefined) return;
    counted.running--;
    for (const { budget } of counted.budgets.values()) budget.subtract(ONE);
    this.leave(place);
  }

  #counted(place: KeyPlace): Counted | undefined {
    return place.concurrency === undefined ? undefined : this.#keys.get(nameOf(place));
  }
}

function newBudget(limit: number, running: number): Budget {
  const budget = new Budget({ task_slots: limit });
  if (running > 0) budget.add({ task_slots: running });
  return budget;
}

function nameOf({ tenant, concurrency }: KeyPlace): string {
  return JSON.stringify([tenant ?? null, concurrency?.key]);
}
