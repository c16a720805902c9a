import type { Condition, When } from '../task/dependencies.js';

/** What tasks wait for of each other: every condition that does not hold yet. It has no cycles. */
export class Dependencies {
  /** By the task that waits. */
  readonly #open = new Map<string, Map<string, When>>();
  /** By the task that is waited for. */
  readonly #dependants = new Map<string, Map<string, When>>();

  /** Sets what a task waits for, in the place of what it has waited for. */
  set(taskId: string, conditions: readonly Condition[]): void {
    this.delete(taskId);
    if (conditions.length === 0) return;
    this.#open.set(taskId, new Map(conditions.map(({ task_id, when }) => [task_id, when])));
    for (const { task_id, when } of conditions) {
      let dependants = this.#dependants.get(task_id);
      if (dependants === undefined) this.#dependants.set(task_id, (dependants = new Map<string, When>()));
      dependants.set(taskId, when);
    }
  }

  /** A condition holds now. */
  met(taskId: string, afterId: string): void {
    const open = this.#open.get(taskId);
    open?.delete(afterId);
    if (open?.size === 0) this.#open.delete(taskId);
    this.#forget(taskId, afterId);
  }

  /** It does not wait for others any more. What waits for it still does. */
  delete(taskId: string): void {
    const open = this.#open.get(taskId);
    if (open === undefined) return;
    this.#open.delete(taskId);
    for (const afterId of open.keys()) this.#forget(taskId, afterId);
  }

  /** True for a task that waits for another one. */
  isOpen(taskId: string): boolean {
    return this.#open.has(taskId);
  }

  /** How many others it waits for. */
  countOf(taskId: string): number {
    return this.#open.get(taskId)?.size ?? 0;
  }

  /** The first `count` of what it waits for. */
  openOf(taskId: string, count = Infinity): Condition[] {
    const conditions: Condition[] = [];
    for (const [task_id, when] of this.#open.get(taskId) ?? []) {
      if (conditions.length >= count) break;
      conditions.push({ task_id, when });
    }
    return conditions;
  }

  /** True when another one waits for this task. */
  isAwaited(taskId: string): boolean {
    return this.#dependants.has(taskId);
  }

  /** The tasks that wait for this one, and how it must end. */
  dependantsOf(taskId: string): Iterable<[string, When]> {
    return this.#dependants.get(taskId) ?? [];
  }

  /** All tasks that others wait for. */
  awaited(): Iterable<string> {
    return this.#dependants.keys();
  }

  /**
   * The cycle that there would be if a task waited for these: each waits for the next, and the last one for the first.
   * Undefined when there would be none. Looks at each condition once at most.
   */
  cycleWith(taskId: string, afterIds: readonly string[]): string[] | undefined {
    /** By task, which one waits for it on the way from the first. */
    const cameFrom = new Map<string, string>(afterIds.map((id) => [id, taskId]));
    const toSee = [...cameFrom.keys()];
    for (let id = toSee.pop(); id !== undefined; id = toSee.pop()) {
      if (id === taskId) return wayTo(taskId, cameFrom);
      for (const next of this.#open.get(id)?.keys() ?? []) {
        if (cameFrom.has(next)) continue;
        cameFrom.set(next, id);
        toSee.push(next);
      }
    }
    return undefined;
  }

  #forget(taskId: string, afterId: string): void {
    const dependants = this.#dependants.get(afterId);
    dependants?.delete(taskId);
    if (dependants?.size === 0) this.#dependants.delete(afterId);
  }
}

function wayTo(taskId: string, cameFrom: ReadonlyMap<string, string>): string[] {
  const way: string[] = [];
  let at = taskId;
  do {
    at = cameFrom.get(at) ?? taskId;
    way.unshift(at);
  } while (at !== taskId);
  return way;
}
