import { RESOURCE_KEYS, type ResourceKey, type Resources } from '../task/resources.js';

/**
 * What is used of a set of limits. Sums are bigint: without a limit they may pass 2^53, and a sum that was rounded once
 * would never return to zero.
 */
export class Budget {
  readonly #used: Record<ResourceKey, bigint> = {
    task_slots: 0n,
    cpu_millis: 0n,
    memory_bytes: 0n,
    pids: 0n,
  };
  /** What is left of each limit: infinite when there is none, negative when the limit was lowered below what is used. */
  readonly #free: Record<ResourceKey, number>;
  #limits: Partial<Resources>;

  constructor(limits: Partial<Resources>) {
    this.#limits = limits;
    this.#free = {
      task_slots: limits.task_slots ?? Infinity,
      cpu_millis: limits.cpu_millis ?? Infinity,
      memory_bytes: limits.memory_bytes ?? Infinity,
      pids: limits.pids ?? Infinity,
    };
  }

  get limits(): Readonly<Partial<Resources>> {
    return this.#limits;
  }

  /** Replaces all limits; what is used stays used. */
  limitTo(limits: Partial<Resources>): void {
    this.#limits = limits;
    for (const key of RESOURCE_KEYS) this.#setFree(key);
  }

  get isUnused(): boolean {
    return RESOURCE_KEYS.every((key) => this.#used[key] === 0n);
  }

  /** The greatest of the parts that are used of each amount of `whole`; 0 where nothing of it is bounded. */
  dominantShare(whole: Partial<Resources>): number {
    const parts = RESOURCE_KEYS.map((key) => {
      const bound = whole[key] ?? 0;
      return bound > 0 ? Number(this.#used[key]) / bound : 0;
    });
    return Math.max(...parts);
  }

  free(key: ResourceKey): number {
    return this.#free[key];
  }

  /** The first resource of which `asked` exceeds the whole limit, whatever is in use. */
  exceeding(asked: Resources): ResourceKey | undefined {
    return RESOURCE_KEYS.find((key) => (asked[key] ?? 0) > (this.#limits[key] ?? Infinity));
  }

  /** The first resource of which `asked` exceeds what is left. */
  lacking(asked: Resources): ResourceKey | undefined {
    for (const key of RESOURCE_KEYS) if ((asked[key] ?? 0) > Math.max(0, this.#free[key])) return key;
    return undefined;
  }

  /** True when `asked` fits into what is left after `held` was set aside as well. */
  fits(asked: Resources, held?: Budget): boolean {
    for (const key of RESOURCE_KEYS) {
      const amount = asked[key] ?? 0;
      if (amount > 0 && amount > this.#free[key] - (held === undefined ? 0 : Number(held.#used[key])))
        return false;
    }
    return true;
  }

  add(amounts: Resources): void {
    for (const key of RESOURCE_KEYS) this.#change(key, BigInt(amounts[key] ?? 0));
  }

  subtract(amounts: Resources): void {
    for (const key of RESOURCE_KEYS) this.#change(key, -BigInt(amounts[key] ?? 0));
  }

  /** What is used; a resource that is neither limited nor used is absent. A sum above 2^53−1 is given as 2^53−1. */
  used(): Resources {
    return this.#show((key) =>
      this.#used[key] > 0n || this.#limits[key] !== undefined ? this.#sum(key) : undefined,
    );
  }

  /** What is left of each limit, at least 0; a resource without limit is absent. */
  available(): Resources {
    return this.#show((key) => (this.#limits[key] === undefined ? undefined : Math.max(0, this.#free[key])));
  }

  #sum(key: ResourceKey): number {
    return Math.min(Number(this.#used[key]), Number.MAX_SAFE_INTEGER);
  }

  #show(amount: (key: ResourceKey) => number | undefined): Resources {
    const [task_slots, cpu_millis, memory_bytes, pids] = RESOURCE_KEYS.map(amount);
    return {
      task_slots: task_slots ?? this.#sum('task_slots'),
      ...(cpu_millis === undefined ? {} : { cpu_millis }),
      ...(memory_bytes === undefined ? {} : { memory_bytes }),
      ...(pids === undefined ? {} : { pids }),
    };
  }

  #change(key: ResourceKey, amount: bigint): void {
    if (amount === 0n) return;
    this.#used[key] += amount;
    if (this.#limits[key] !== undefined) this.#setFree(key);
  }

  #setFree(key: ResourceKey): void {
    const limit = this.#limits[key];
    this.#free[key] = limit === undefined ? Infinity : Number(BigInt(limit) - this.#used[key]);
  }
}
