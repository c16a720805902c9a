import type { TaskRequest } from '../task/request.js';

/** Ids of tasks by something that their requests have in common, in the order in which they came. */
export class TaskSets {
  readonly #ids = new Map<string, Set<string>>();

  /** @param nameOf undefined for a task that is in no set */
  constructor(private readonly nameOf: (request: TaskRequest) => string | undefined) {}

  add(taskId: string, request: TaskRequest): void {
    const name = this.nameOf(request);
    if (name === undefined) return;
    const ids = this.#ids.get(name) ?? new Set<string>();
    this.#ids.set(name, ids.add(taskId));
  }

  delete(taskId: string, request: TaskRequest): void {
    const name = this.nameOf(request);
    const ids = name === undefined ? undefined : this.#ids.get(name);
    ids?.delete(taskId);
    if (name !== undefined && ids?.size === 0) this.#ids.delete(name);
  }

  /** Those that have the same, the oldest first. */
  with(request: TaskRequest): ReadonlySet<string> {
    const name = this.nameOf(request);
    return name === undefined ? NONE : this.named(name);
  }

  /** The oldest first. */
  named(name: string): ReadonlySet<string> {
    return this.#ids.get(name) ?? NONE;
  }
}

const NONE: ReadonlySet<string> = new Set();

/** What tasks of one tenant with the same concurrency key have in common. */
export function concurrencyOf({ policy, control_context: context }: TaskRequest): string | undefined {
  const { concurrency } = policy;
  return concurrency && JSON.stringify([context?.tenant ?? null, concurrency.key]);
}

/** What tasks of one group have in common. */
export function groupOf({ control_context: context }: TaskRequest): string | undefined {
  return context?.group === undefined ? undefined : groupKey(context.tenant, context.group);
}

export function groupKey(tenant: string | undefined, group: string): string {
  return JSON.stringify([tenant ?? null, group]);
}
