import type { ResourceKey } from '../task/resources.js';
import type { Budget } from './budget.js';
import type { Refusal } from './ledger.js';

/** What many claims were refused for: by budget and resource the least that one of them asked for. */
export class Refusals {
  readonly #least = new Map<Budget, Map<ResourceKey, number>>();

  add({ budget, resource, requested }: Refusal): void {
    let least = this.#least.get(budget);
    if (least === undefined) this.#least.set(budget, (least = new Map<ResourceKey, number>()));
    if (requested < (least.get(resource) ?? Infinity)) least.set(resource, requested);
  }

  /** Adds all of others. */
  merge(others: Refusals): void {
    for (const [budget, least] of others.#least)
      for (const [resource, requested] of least) this.add({ budget, resource, requested });
  }

  clear(): void {
    this.#least.clear();
  }

  /** True as long as there is still too little for each of them. */
  hold(): boolean {
    for (const [budget, least] of this.#least)
      for (const [resource, requested] of least) if (requested <= budget.free(resource)) return false;
    return true;
  }
}
