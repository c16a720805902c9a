import type { ResourceKey, Resources } from '../task/resources.js';
import { Budget } from './budget.js';
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
  of: 'machine' | 'tenant' | 'queue' | 'lane';
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
}

/** One task's share of the ledger. */
export interface LedgerEntry extends Claim {
  task_id: string;
  reserved_at_ms: number;
}

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
  readonly #entries = new Map<string, LedgerEntry>();
  #listener: Listener | undefined;
  #releases = 0;

  /** An absent amount of `capacity` or of a quota is unlimited; so is a tenant without quota. */
  constructor({ capacity, quotas }: { capacity: Resources; quotas: ReadonlyMap<string, Resources> }) {
    this.capacity = capacity;
    this.#quotas = quotas;
    this.#machine = new Budget(capacity);
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
  boundsOf({ tenant, ...place }: Claim): Budget[] {
    const quota = this.#tenantBudget(tenant);
    return [...(quota === undefined ? [] : [quota]), ...this.#queues.budgetsOf(place)];
  }

  /** What a claim does not fit into now; undefined when it fits. It will not fit before there is room in that. */
  refusal(claim: Claim): Refusal | undefined {
    const { reservation } = claim;
    for (const budget of this.#allBudgets(claim)) {
      const resource = budget.lacking(reservation);
      if (resource !== undefined) return { budget, resource, requested: reservation[resource] ?? 0 };
    }
    return undefined;
  }

  /** As {@link refusal}, for people. */
  lack(claim: Claim): Lack | undefined {
    const refusal = this.refusal(claim);
    if (refusal === undefined) return undefined;
    const { budget, resource, requested } = refusal;
    const [ofQueue] = this.#queues.budgetsOf(claim);
    const of =
      budget === this.#machine
        ? 'machine'
        : budget === this.#tenantBudget(claim.tenant)
          ? 'tenant'
          : budget === ofQueue
            ? 'queue'
            : 'lane';
    const free = Math.max(0, budget.free(resource));
    return { of, resource, requested, free, limit: budget.limits[resource] ?? 0 };
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
   * Records that the task holds what it claims, whether it fits or not: what was reserved before a restart is a fact, even
   * if the capacity has been lowered since.
   * @throws Error when the task holds a reservation already
   */
  reserve(taskId: string, claim: Claim, atMs: number): void {
    if (this.#entries.has(taskId)) throw new Error(`task ${taskId} holds a reservation already`);
    const { tenant, queue, lane } = claim;
    const reservation = { ...claim.reservation };
    this.#entries.set(taskId, { task_id: taskId, tenant, queue, lane, reservation, reserved_at_ms: atMs });
    this.#machine.add(reservation);
    this.#queues.started(claim);
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
    this.#machine.subtract(entry.reservation);
    this.#queues.ended(entry);
    const budget = this.#tenantBudget(entry.tenant);
    budget?.subtract(entry.reservation);
    if (entry.tenant !== undefined && !this.#quotas.has(entry.tenant) && budget?.isUnused === true)
      this.#tenants.delete(entry.tenant);
    this.#listener?.(entry, 'released');
    return true;
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
  return { resource, requested: asked[resource] ?? 0, capacity: budget.limits[resource] ?? 0, scope };
}
