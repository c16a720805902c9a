import {
  amountOf,
  isNamedKey,
  keysOf,
  namedAmounts,
  namedKey,
  RESOURCE_KEYS,
  resourceName,
  type NamedKey,
  type ResourceKey,
  type Resources,
} from '../task/resources.js';

/**
 * What is used of a set of limits. Sums are bigint: without a limit they may pass 2^53, and a sum that was rounded once
 * would never return to zero.
 */
export class Budget {
  readonly #used = { task_slots: 0n, cpu_millis: 0n, memory_bytes: 0n, pids: 0n, disk_bytes: 0n };
  /** Only what is used: names come from requests, too. */
  readonly #named = new Map<NamedKey, bigint>();
  /** What is left of each limit: infinite when there is none, negative when the limit was lowered below what is used. */
  readonly #free = {
    task_slots: Infinity,
    cpu_millis: Infinity,
    memory_bytes: Infinity,
    pids: Infinity,
    disk_bytes: Infinity,
  };
  readonly #unnamed: number;
  #limits: Partial<Resources>;

  /** @param options.unnamed how much there is of a named resource that the limits do not name; without limit by default */
  constructor(limits: Partial<Resources>, { unnamed = Infinity }: { unnamed?: number } = {}) {
    this.#limits = limits;
    this.#unnamed = unnamed;
    for (const key of RESOURCE_KEYS) this.#setFree(key);
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
    return this.#named.size === 0 && RESOURCE_KEYS.every((key) => this.#used[key] === 0n);
  }

  /** The greatest of the parts that are used of each amount of `whole`; 0 where nothing of it is bounded. */
  dominantShare(whole: Partial<Resources>): number {
    const parts = keysOf(whole).map((key) => {
      const bound = amountOf(whole, key) ?? 0;
      return bound > 0 ? Number(this.#usedOf(key)) / bound : 0;
    });
    return Math.max(...parts);
  }

  free(key: ResourceKey): number {
    if (!isNamedKey(key)) return this.#free[key];
    const limit = this.limit(key);
    return limit === Infinity ? Infinity : Number(BigInt(limit) - this.#usedOf(key));
  }

  /** The whole limit; infinite where there is none. */
  limit(key: ResourceKey): number {
    return amountOf(this.#limits, key) ?? (isNamedKey(key) ? this.#unnamed : Infinity);
  }

  /** The first resource of which `asked` exceeds the whole limit, whatever is in use. */
  exceeding(asked: Resources): ResourceKey | undefined {
    return keysOf(asked).find((key) => (amountOf(asked, key) ?? 0) > this.limit(key));
  }

  /** The first resource of which `asked` exceeds what is left. */
  lacking(asked: Resources): ResourceKey | undefined {
    for (const key of RESOURCE_KEYS) if ((asked[key] ?? 0) > Math.max(0, this.#free[key])) return key;
    for (const [key, amount] of namedAmounts(asked)) if (amount > Math.max(0, this.free(key))) return key;
    return undefined;
  }

  /** True when `asked` fits into what is left after `held` was set aside as well. */
  fits(asked: Resources, held?: Budget): boolean {
    for (const key of RESOURCE_KEYS) if (!this.#fits(key, asked[key] ?? 0, held)) return false;
    return namedAmounts(asked).every(([key, amount]) => this.#fits(key, amount, held));
  }

  add(amounts: Resources): void {
    for (const key of keysOf(amounts)) this.#change(key, BigInt(amountOf(amounts, key) ?? 0));
  }

  subtract(amounts: Resources): void {
    for (const key of keysOf(amounts)) this.#change(key, -BigInt(amountOf(amounts, key) ?? 0));
  }

  /** What is used; a resource that is neither limited nor used is absent. A sum above 2^53−1 is given as 2^53−1. */
  used(): Resources {
    return this.#show((key) =>
      this.#usedOf(key) > 0n || amountOf(this.#limits, key) !== undefined ? this.#sum(key) : undefined,
    );
  }

  /** What is left of each limit, at least 0; a resource without limit is absent. */
  available(): Resources {
    return this.#show((key) =>
      amountOf(this.#limits, key) === undefined ? undefined : Math.max(0, this.free(key)),
    );
  }

  #fits(key: ResourceKey, amount: number, held: Budget | undefined): boolean {
    return amount <= 0 || amount <= this.free(key) - (held === undefined ? 0 : Number(held.#usedOf(key)));
  }

  #sum(key: ResourceKey): number {
    return Math.min(Number(this.#usedOf(key)), Number.MAX_SAFE_INTEGER);
  }

  #show(amount: (key: ResourceKey) => number | undefined): Resources {
    const [task_slots, cpu_millis, memory_bytes, pids, disk_bytes] = RESOURCE_KEYS.map(amount);
    const names = [
      ...Object.keys(this.#limits.resources ?? {}),
      ...[...this.#named.keys()].map(resourceName),
    ];
    const named = [...new Set(names)].flatMap((name): [string, number][] => {
      const value = amount(namedKey(name));
      return value === undefined ? [] : [[name, value]];
    });
    return {
      task_slots: task_slots ?? this.#sum('task_slots'),
      ...(cpu_millis === undefined ? {} : { cpu_millis }),
      ...(memory_bytes === undefined ? {} : { memory_bytes }),
      ...(pids === undefined ? {} : { pids }),
      ...(disk_bytes === undefined ? {} : { disk_bytes }),
      ...(named.length === 0 ? {} : { resources: Object.fromEntries(named) }),
    };
  }

  #usedOf(key: ResourceKey): bigint {
    return isNamedKey(key) ? (this.#named.get(key) ?? 0n) : this.#used[key];
  }

  #change(key: ResourceKey, amount: bigint): void {
    if (amount === 0n) return;
    const used = this.#usedOf(key) + amount;
    if (!isNamedKey(key)) {
      this.#used[key] = used;
      if (this.#limits[key] !== undefined) this.#setFree(key);
    } else if (used === 0n) this.#named.delete(key);
    else this.#named.set(key, used);
  }

  #setFree(key: (typeof RESOURCE_KEYS)[number]): void {
    const limit = this.#limits[key];
    this.#free[key] = limit === undefined ? Infinity : Number(BigInt(limit) - this.#used[key]);
  }
}
