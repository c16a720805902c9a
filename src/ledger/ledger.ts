import type { ResourceKey, Resources } from '../task/resources.js';
import { Budget } from './budget.js';

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

/** One task's share of the ledger. */
export interface LedgerEntry {
  task_id: string;
  tenant: string | undefined;
  reservation: Resources;
  reserved_at_ms: number;
}

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
  readonly #entries = new Map<string, LedgerEntry>();
  #releases = 0;

  /** An absent amount of `capacity` or of a quota is unlimited; so is a tenant without quota. */
  constructor({ capacity, quotas }: { capacity: Resources; quotas: ReadonlyMap<string, Resources> }) {
    this.capacity = capacity;
    this.#quotas = quotas;
    this.#machine = new Budget(capacity);
    for (const [tenant, quota] of quotas) this.#tenants.set(tenant, new Budget(quota));
  }

  /** Why the reservation would not fit even if nothing else were reserved; undefined when it would. */
  canEverFit(reservation: Resources, tenant: string | undefined): Shortage | undefined {
    return (
      shortage(reservation, this.#machine.limits, this.#machine.exceeding(reservation), 'capacity') ??
      this.#quotaShortage(reservation, tenant)
    );
  }

  /** True when it fits into what is left of the capacity after `held` was set aside as well. */
  fitsCapacity(reservation: Resources, held?: Budget): boolean {
    return this.#machine.fits(reservation, held);
  }

  /** True when it fits into what is left of the tenant's quota after `held` was set aside as well. */
  fitsQuota(reservation: Resources, tenant: string | undefined, held?: Budget): boolean {
    const quota = this.#tenantBudget(tenant);
    return quota === undefined || quota.fits(reservation, held);
  }

  /** What a reservation does not fit into now; undefined when it fits. It will not fit before there is room in that. */
  refusal(reservation: Resources, tenant: string | undefined): Refusal | undefined {
    for (const budget of [this.#machine, this.#tenantBudget(tenant)]) {
      const resource = budget?.lacking(reservation);
      if (budget !== undefined && resource !== undefined)
        return { budget, resource, requested: reservation[resource] ?? 0 };
    }
    return undefined;
  }

  /** How many reservations have been released: until this changes, a reservation that did not fit still does not fit. */
  get releases(): number {
    return this.#releases;
  }

  /** Slots that are left, infinite without a limit; when it is 0 or less, no task can start. */
  freeSlots(): number {
    return this.#machine.free('task_slots');
  }

  /**
   * Records that the task holds the reservation, whether it fits or not: what was reserved before a restart is a fact, even
   * if the capacity has been lowered since.
   * @throws Error when the task holds a reservation already
   */
  reserve(taskId: string, tenant: string | undefined, reservation: Resources, atMs: number): void {
    if (this.#entries.has(taskId)) throw new Error(`task ${taskId} holds a reservation already`);
    this.#entries.set(taskId, {
      task_id: taskId,
      tenant,
      reservation: { ...reservation },
      reserved_at_ms: atMs,
    });
    this.#machine.add(reservation);
    if (tenant === undefined) return;
    let budget = this.#tenants.get(tenant);
    if (budget === undefined) this.#tenants.set(tenant, (budget = new Budget({})));
    budget.add(reservation);
  }

  /** Gives a reservation back. False, and nothing happens, when the task holds none. */
  release(taskId: string): boolean {
    const entry = this.#entries.get(taskId);
    if (entry === undefined) return false;
    this.#entries.delete(taskId);
    this.#releases++;
    this.#machine.subtract(entry.reservation);
    const budget = this.#tenantBudget(entry.tenant);
    budget?.subtract(entry.reservation);
    if (entry.tenant !== undefined && !this.#quotas.has(entry.tenant) && budget?.used().task_slots === 0)
      this.#tenants.delete(entry.tenant);
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

  #quotaShortage(reservation: Resources, tenant: string | undefined): Shortage | undefined {
    const quota = this.#tenantBudget(tenant);
    return quota && shortage(reservation, quota.limits, quota.exceeding(reservation), 'quota');
  }

  #tenantBudget(tenant: string | undefined): Budget | undefined {
    return tenant === undefined ? undefined : this.#tenants.get(tenant);
  }
}

function shortage(
  asked: Resources,
  limits: Partial<Resources>,
  resource: ResourceKey | undefined,
  scope: Shortage['scope'],
): Shortage | undefined {
  if (resource === undefined) return undefined;
  return { resource, requested: asked[resource] ?? 0, capacity: limits[resource] ?? 0, scope };
}
