import type { Resources } from '../task/resources.js';
import { Budget } from './budget.js';
import type { Flow } from './flow.js';
import type { Claim } from './ledger.js';
import { Ordered } from './ordered.js';

/** What a tenant, or one tenant in one queue, has now and when it was last given something. */
class Use {
  readonly #held = new Budget({});
  /** Number of the last start; 0: none since it is known. */
  served = 0;
  share = 0;
  /** Places that are ordered by this. */
  places = 0;

  change(reservation: Resources, change: 'reserved' | 'released', capacity: Resources): void {
    if (change === 'reserved') this.#held.add(reservation);
    else this.#held.subtract(reservation);
    this.share = this.#held.dominantShare(capacity);
  }

  get isForgettable(): boolean {
    return this.places === 0 && this.#held.isUnused;
  }
}

/** What decides whose turn it is: what one holds, when it was last served, and since when it waits. */
export interface Standing {
  share: number;
  served: number;
  since: number;
}

interface Turn {
  use: Use;
  /** `submit_seq` of the task with which it began to wait. */
  since: number;
}

/** The flows of one tenant at one priority of queues. */
interface Tenant extends Turn {
  name: string | undefined;
  flows: Ordered<Place>;
}

interface Place extends Turn {
  flow: Flow;
  tenant: Tenant;
  level: Level;
}

/** Queues of the same priority. */
interface Level {
  priority: number;
  tenants: Ordered<Tenant>;
  byName: Map<string | undefined, Tenant>;
  places: Set<Place>;
}

/**
 * The order in which flows have their turns: by the priority of their queues; then by tenant, the one first whose tasks hold
 * the least of the machine, measured by the resource of which they hold most; then by queue in the same way. So each tenant
 * can have as much as any other, however many tasks it submits, and each of its queues as much as any other of its queues.
 */
export class FairOrder {
  readonly #capacity: Resources;
  readonly #levels: Level[] = [];
  readonly #places = new Map<Flow, Place>();
  readonly #uses = new Map<string, Use>();
  #starts = 0;

  constructor(capacity: Resources) {
    this.#capacity = capacity;
  }

  /** @param since `submit_seq` of its first task */
  add(flow: Flow, priority: number, since: number): void {
    const level = this.#level(priority);
    let tenant = level.byName.get(flow.tenant);
    if (tenant === undefined) {
      const flows = new Ordered<Place>(hasTurnBefore);
      tenant = { name: flow.tenant, use: this.#use(keyOf(flow.tenant)), since, flows };
      level.byName.set(flow.tenant, tenant);
      level.tenants.add(tenant);
      tenant.use.places++;
    }
    const place: Place = { flow, use: this.#use(keyOf(flow.tenant, flow.queue)), since, tenant, level };
    place.use.places++;
    this.#places.set(flow, place);
    level.places.add(place);
    tenant.flows.add(place);
  }

  remove(flow: Flow): void {
    const place = this.#places.get(flow);
    if (place === undefined) return;
    const { tenant, level, use } = place;
    this.#places.delete(flow);
    level.places.delete(place);
    tenant.flows.remove(place);
    use.places--;
    this.#forget(keyOf(flow.tenant, flow.queue), use);
    if (tenant.flows.size > 0) return;
    level.tenants.remove(tenant);
    level.byName.delete(tenant.name);
    tenant.use.places--;
    this.#forget(keyOf(tenant.name), tenant.use);
    if (level.places.size === 0) this.#levels.splice(this.#levels.indexOf(level), 1);
  }

  /** Gives a flow its place among queues of another priority. */
  move(flow: Flow, priority: number, since: number): void {
    const place = this.#places.get(flow);
    if (place === undefined || place.level.priority === priority) return;
    const uses = [place.use, place.tenant.use];
    // What they were given counts further.
    for (const use of uses) use.places++;
    this.remove(flow);
    this.add(flow, priority, since);
    for (const use of uses) use.places--;
  }

  /** What decides when this flow has its turn; it must be in order. */
  standing(flow: Flow): { priority: number; tenant: Standing; own: Standing } {
    const place = this.#places.get(flow);
    if (place === undefined) throw new Error(`no task of queue ${flow.queue} waits`);
    return { priority: place.level.priority, tenant: standing(place.tenant), own: standing(place) };
  }

  /** Takes note of what a claim changes. @param flow the waiting tasks of its tenant and queue, if there are any */
  changed(claim: Claim, change: 'reserved' | 'released', flow: Flow | undefined): void {
    if (change === 'reserved') this.#starts++;
    const place = flow === undefined ? undefined : this.#places.get(flow);
    place?.tenant.flows.remove(place);
    const turns = this.#levels.flatMap(({ tenants, byName }) => {
      const tenant = byName.get(claim.tenant);
      return tenant === undefined ? [] : [{ tenants, tenant }];
    });
    for (const { tenants, tenant } of turns) tenants.remove(tenant);
    for (const key of [keyOf(claim.tenant), keyOf(claim.tenant, claim.queue)]) {
      const use = this.#use(key);
      if (change === 'reserved') use.served = this.#starts;
      use.change(claim.reservation, change, this.#capacity);
      this.#forget(key, use);
    }
    for (const { tenants, tenant } of turns) tenants.add(tenant);
    place?.tenant.flows.add(place);
  }

  /**
   * All flows in order. One that starves for its queue's low priority has its turn among those of the highest.
   * The order must not change meanwhile.
   */
  *flows(starves: (flow: Flow) => boolean): Generator<Flow, undefined> {
    const [top, ...lower] = this.#levels;
    if (top === undefined) return undefined;
    const lifted = lower
      .flatMap(({ places }) => [...places].filter(({ flow }) => starves(flow)))
      .sort((a, b) => (isBefore(a, b) ? -1 : 1));
    const wasLifted = new Set(lifted.map(({ flow }) => flow));
    let reached = 0;
    for (const place of inOrder(top)) {
      for (let next = lifted[reached]; next !== undefined && isBefore(next, place); next = lifted[reached]) {
        yield next.flow;
        reached++;
      }
      yield place.flow;
    }
    for (const { flow } of lifted.slice(reached)) yield flow;
    for (const level of lower) for (const { flow } of inOrder(level)) if (!wasLifted.has(flow)) yield flow;
    return undefined;
  }

  #level(priority: number): Level {
    const at = this.#levels.findIndex((level) => level.priority <= priority);
    const found = this.#levels[at];
    if (found?.priority === priority) return found;
    const level: Level = {
      priority,
      tenants: new Ordered(hasTurnBefore),
      byName: new Map(),
      places: new Set(),
    };
    this.#levels.splice(at < 0 ? this.#levels.length : at, 0, level);
    return level;
  }

  #use(key: string): Use {
    let use = this.#uses.get(key);
    if (use === undefined) this.#uses.set(key, (use = new Use()));
    return use;
  }

  #forget(key: string, use: Use): void {
    if (use.isForgettable) this.#uses.delete(key);
  }
}

function standing({ use, since }: Turn): Standing {
  return { share: use.share, served: use.served, since };
}

function* inOrder({ tenants }: Level): Generator<Place> {
  for (const { flows } of tenants.items()) yield* flows.items();
}

function hasTurnBefore(a: Turn, b: Turn): boolean {
  return standsBefore(standing(a), standing(b));
}

/** The one that holds less; of equals the one that was served longer ago, or has waited longer. */
export function standsBefore(a: Standing, b: Standing): boolean {
  if (a.share !== b.share) return a.share < b.share;
  return a.served === b.served ? a.since < b.since : a.served < b.served;
}

function isBefore(a: Place, b: Place): boolean {
  if (a.tenant.use === b.tenant.use) return hasTurnBefore(a, b);
  return hasTurnBefore(a.tenant, b.tenant);
}

function keyOf(tenant: string | undefined, queue?: string): string {
  return JSON.stringify(queue === undefined ? [tenant ?? null] : [tenant ?? null, queue]);
}
