import { LRUCache } from 'lru-cache';
import type { ExecutionPlan } from '../../task/plan.js';

/** How many plans are known at a time: tasks that wait in great number are mostly of few kinds. */
const PLANS = 100;

/** Makes plans that are equal one object, which nobody may change: of 100,000 tasks that wait each would have one of its own. */
export class SharedPlans {
  readonly #known = new LRUCache<string, ExecutionPlan>({ max: PLANS });

  /** @param text the plan as JSON */
  of(text: string, plan: ExecutionPlan): ExecutionPlan {
    const known = this.#known.get(text);
    if (known === undefined) this.#known.set(text, plan);
    return known ?? plan;
  }
}
