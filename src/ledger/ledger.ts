import type { NamedResources } from '../task/named-resource.js';
import { amountOf, type ResourceItems, type ResourceKey, type Resources } from '../task/resources.js';
import { Budget } from './budget.js';
import { ConcurrencyLimits, type ConcurrencyClaim } from './concurrency-limits.js';
import { ItemPool } from './item-pool.js';
import { QueueLimits, type QueuePlace, type QueueRule } from './queue-limits.js';

/** Why a reservation can never be granted, even when nothing else is reserved. */
export interface Shortage {
  resource: ResourceKey;
  requested: number;
  /** The whole amount of the resource: of the machine, or of the tenant's quota. */
  capacity: number;
  scope: 'capacity' | 'quota';
}

/** Why a reservation is not granted now: more of one resource was requested than is left. */
export interface Refusal {
  budget: Budget;
  resource: ResourceKey;
  requested: number;
}

/** Of what there is too little for a claim now. */
export interface Lack {
  of: 'machine' | 'tenant' | 'queue' | 'lane' | 'concurrency';
  resource: ResourceKey;
  requested: number;
  /** What is left, at least 0, of `limit`. */
  free: number;
  limit: number;
}

/** What a task asks for, and whose bounds it is under beside those of the machine. */
export interface Claim extends QueuePlace {
  tenant: string | undefined;
  reservation: Resources;
  /** Absent: it has no key. */
  concurrency?: ConcurrencyClaim | undefined;
}

/** One task's share of the ledger. */
export interface LedgerEntry extends Claim {
  task_id: string;
  reserved_at_ms: number;
  /** What it has for itself of named resources. */
  items: ResourceItems;
}

/** What a task holds since before a restart; `unknown` where its row cannot be read. */
export type HeldItems = ResourceItems | 'unknown';

/** Called after a claim was added to what is reserved, or taken from it. */
type Listener = (claim: Claim, change: 'reserved' | 'released') => void;

/** What one tenant holds. `quota` and `available` are absent for a tenant without quota. */
export interface TenantUse {
  tenant: string;
  quota?: Resources;
  reserved: Resources;
  available?: Resources;
}

/**
 * What this machine has, what is reserved, and for whom: arithmetic only. At any moment it equals the sum over the
 * unreleased reservations in the database.
 */
export class Ledger {
  readonly capacity: Resources;
  readonly #quotas: ReadonlyMap<string, Resources>;
  readonly #machine: Budget;
  readonly #tenants = new Map<string, Budget>();
  readonly #queues = new QueueLimits();
  readonly #keys = new ConcurrencyLimits();
  readonly #entries = new Map<string, LedgerEntry>();
  /** What a task takes of what this machine has, where that is not what it reserves: see {@link ItemPool.shareOf}. */
  readonly #ofMachine = new Map<string, Resources>();
  readonly #items: ItemPool;
  #listener: Listener | undefined;
  #releases = 0;

  /**
   * An absent amount of `capacity` or of a quota is unlimited; so is a tenant without quota. Of a named resource that the
   * capacity does not name there is nothing.
   * @param options.resources what the capacity names
   */
  constructor({
    capacity,
    quotas,
    resources = new Map(),
  }: {
    capacity: Resources;
    quotas: ReadonlyMap<string, Resources>;
    resources?: NamedResources;
  }) {
    this.capacity = capacity;
    this.#quotas = quotas;
    this.#items = new ItemPool(resources);
    this.#machine = new Budget(capacity, { unnamed: 0 });
    for (const [tenant, quota] of quotas) this.#tenants.set(tenant, new Budget(quota));
  }

  /** Sets the one that is told of every change. */
  onChange(listener: Listener): void {
    this.#listener = listener;
  }

  queueRule(queue: string): QueueRule {
    return this.#queues.rule(queue);
  }

  /** @param rule undefined: as if nothing had ever been said about it */
  setQueueRule(queue: string, rule: QueueRule | undefined): void {
    this.#queues.setRule(queue, rule);
    this.#releases++;
  }

  /** How many tasks of a queue have a share: those that run, and those that are being started. */
  slotsOf(queue: string): number {
    return this.#queues.slotsOf(queue);
  }

  /**
   * Why the machine or the tenant's quota would not have room even if nothing else were reserved; undefined when they would.
   * What is said about queues does not count: that may change.
   */
  canEverFit({ reservation, tenant }: Pick<Claim, 'reservation' | 'tenant'>): Shortage | undefined {
    const quota = this.#tenantBudget(tenant);
    return (
      shortage(reservation, this.#machine, 'capacity') ?? (quota && shortage(reservation, quota, 'quota'))
    );
  }

  /** The most of a resource that a task of this tenant can ever reserve; undefined: without a bound. */
  mostOf(resource: ResourceKey, tenant: string | undefined): number | undefined {
    const limits = [this.#machine, this.#tenantBudget(tenant)].flatMap(
      (budget) => (budget && amountOf(budget.limits, resource)) ?? [],
    );
    return limits.length === 0 ? undefined : Math.min(...limits);
  }

  /** True when it would fit, as bounds are now, if nothing else were reserved. */
  wouldFitAlone(claim: Claim): boolean {
    return this.#allBudgets(claim).every((budget) => budget.exceeding(claim.reservation) === undefined);
  }

  /** True when the claim fits now: into the capacity, the tenant's quota, its queue and its lane. */
  fits(claim: Claim): boolean {
    return this.refusal(claim) === undefined;
  }

  /** True when it fits into what is left of the capacity after `held` was set aside as well. */
  fitsCapacity(reservation: Resources, held?: Budget): boolean {
    return this.#machine.fits(reservation, held);
  }

  /** The bounds of a claim beside those of the machine. */
  boundsOf(claim: Claim): Budget[] {
    const quota = this.#tenantBudget(claim.tenant);
    const ofKey = this.#keys.budgetOf(claim);
    return [
      ...(quota === undefined ? [] : [quota]),
      ...this.#queues.budgetsOf(claim),
      ...(ofKey === undefined ? [] : [ofKey]),
    ];
  }

  /** To be told of each task that comes to wait, so that what bounds it stays the same until it is told that it does not. */
  waits(claim: Claim): void {
    this.#keys.enter(claim);
  }

  waitsNoMore(claim: Claim): void {
    this.#keys.leave(claim);
  }

  /** What a claim does not fit into now; undefined when it fits. It will not fit before there is room in that. */
  refusal(claim: Claim): Refusal | undefined {
    const { reservation } = claim;
    for (const budget of this.#allBudgets(claim)) {
      const resource = budget.lacking(reservation);
      if (resource !== undefined)
        return { budget, resource, requested: amountOf(reservation, resource) ?? 0 };
    }
    return undefined;
  }

  /** As {@link refusal}, for people. */
  lack(claim: Claim): Lack | undefined {
    const refusal = this.refusal(claim);
    if (refusal === undefined) return undefined;
    const { budget, resource, requested } = refusal;
    const [ofQueue, ofLane] = this.#queues.budgetsOf(claim);
    const whose = new Map<Budget | undefined, Lack['of']>([
      [ofLane, 'lane'],
      [ofQueue, 'queue'],
      [this.#tenantBudget(claim.tenant), 'tenant'],
      [this.#machine, 'machine'],
    ]);
    const of = whose.get(budget) ?? 'concurrency';
    const free = Math.max(0, budget.free(resource));
    return { of, resource, requested, free, limit: budget.limit(resource) };
  }

  /**
   * How often there may have come to be more room, as reservations were released or rules changed: until this changes, what
   * did not fit still does not fit.
   */
  get releases(): number {
    return this.#releases;
  }

  /** Slots that are left, infinite without a limit; when it is 0 or less, no task can start. */
  freeSlots(): number {
    return this.#machine.free('task_slots');
  }

  /**
   * Gives a task what it claims, which fits.
   * @throws Error when the task holds a reservation already, or too few items are free
   */
  reserve(taskId: string, claim: Claim, atMs: number): void {
    this.#refuseTwice(taskId);
    this.#enter(taskId, claim, atMs, this.#items.take(claim.reservation));
  }

  /**
   * Records what the task has held since before a restart, whether it fits or not: it is a fact, even if the capacity has been
   * lowered since.
   * @throws Error when the task holds a reservation already
   */
  restore(taskId: string, claim: Claim, atMs: number, items: HeldItems): void {
    this.#refuseTwice(taskId);
    const held = items === 'unknown' ? this.#items.allOf(claim.reservation) : items;
    this.#items.hold(held);
    const resources = this.#items.shareOf(claim.reservation, held);
    if (Object.keys(resources).length > 0) this.#ofMachine.set(taskId, { ...claim.reservation, resources });
    this.#enter(taskId, claim, atMs, held);
  }

  #refuseTwice(taskId: string): void {
    if (this.#entries.has(taskId)) throw new Error(`task ${taskId} holds a reservation already`);
  }

  #enter(taskId: string, claim: Claim, atMs: number, items: ResourceItems): void {
    const { tenant, queue, lane, concurrency } = claim;
    const reservation = { ...claim.reservation };
    const place = { task_id: taskId, tenant, queue, lane, concurrency };
    this.#entries.set(taskId, { ...place, reservation, reserved_at_ms: atMs, items });
    this.#machine.add(this.#ofMachine.get(taskId) ?? reservation);
    this.#queues.started(claim);
    this.#keys.started(claim);
    if (tenant !== undefined) {
      let budget = this.#tenants.get(tenant);
      if (budget === undefined) this.#tenants.set(tenant, (budget = new Budget({})));
      budget.add(reservation);
    }
    this.#listener?.(claim, 'reserved');
  }

  /** Gives a reservation back. False, and nothing happens, when the task holds none. */
  release(taskId: string): boolean {
    const entry = this.#entries.get(taskId);
    if (entry === undefined) return false;
    this.#entries.delete(taskId);
    this.#releases++;
    this.#items.giveBack(entry.items);
    this.#machine.subtract(this.#ofMachine.get(taskId) ?? entry.reservation);
    this.#ofMachine.delete(taskId);
    this.#queues.ended(entry);
    this.#keys.ended(entry);
    const budget = this.#tenantBudget(entry.tenant);
    budget?.subtract(entry.reservation);
    if (entry.tenant !== undefined && !this.#quotas.has(entry.tenant) && budget?.isUnused === true)
      this.#tenants.delete(entry.tenant);
    this.#listener?.(entry, 'released');
    return true;
  }

  /** The items that a task has for itself; none when it holds no reservation. */
  itemsOf(taskId: string): ResourceItems {
    return this.#entries.get(taskId)?.items ?? {};
  }

  reserved(): Resources {
    return this.#machine.used();
  }

  /** What is left of each amount, at least 0; an amount without capacity is absent. */
  available(): Resources {
    return this.#machine.available();
  }

  /** Every tenant that has a quota or holds something, sorted by name. */
  tenantUse(): TenantUse[] {
    const tenants = [...this.#tenants].sort(([a], [b]) => (a < b ? -1 : 1));
    return tenants.map(([tenant, budget]) => {
      const quota = this.#quotas.get(tenant);
      const reserved = budget.used();
      return quota === undefined
        ? { tenant, reserved }
        : { tenant, quota, reserved, available: budget.available() };
    });
  }

  /** All reservations, in the order in which they were made. */
  entries(): LedgerEntry[] {
    return [...this.#entries.values()];
  }

  #tenantBudget(tenant: string | undefined): Budget | undefined {
    return tenant === undefined ? undefined : this.#tenants.get(tenant);
  }

  #allBudgets(claim: Claim): Budget[] {
    return [this.#machine, ...this.boundsOf(claim)];
  }
}

function shortage(asked: Resources, budget: Budget, scope: Shortage['scope']): Shortage | undefined {
  const resource = budget.exceeding(asked);
  if (resource === undefined) return undefined;
  return { resource, requested: amountOf(asked, resource) ?? 0, capacity: budget.limit(resource), scope };
}
