import TinyQueue from 'tinyqueue';
import { amountOf, keysOf, type Resources } from '../task/resources.js';
import { standsBefore, type FairOrder, type Standing } from './fair-order.js';
import type { Flow, WaitingTask } from './flow.js';

/** How far a walk through one flow has come. */
interface Walker {
  tasks: Iterator<WaitingTask, undefined>;
  task: WaitingTask;
  standing: Standing;
}

/** The flows of a tenant. */
interface Tenant {
  name: string | undefined;
  walkers: TinyQueue<Walker>;
  standing: Standing;
}

/**
 * The `count` tasks of `flows` that start next, in order, as if there were room for all of them and none ended: each start
 * gives its tenant and its queue more, and so the next turn to another.
 */
export function foresee(
  count: number,
  flows: readonly Flow[],
  order: FairOrder,
  capacity: Resources,
): WaitingTask[] {
  const next: WaitingTask[] = [];
  /** What tenants have been given so far, also by queues of a higher priority. */
  const given = new Map<string | undefined, Standing>();
  // Later than all that were really served.
  let served = Number.MAX_SAFE_INTEGER - count;
  for (const level of byPriority(flows, order)) {
    const tenants = tenantsOf(level, order, given);
    for (let tenant = tenants.pop(); tenant !== undefined && next.length < count; tenant = tenants.pop()) {
      const walker = tenant.walkers.pop();
      if (walker === undefined) continue;
      next.push(walker.task);
      const share = dominantShare(walker.task.reservation, capacity);
      served++;
      const afterwards = ({ share: before, since }: Standing) => ({ share: before + share, served, since });
      given.set(tenant.name, afterwards(tenant.standing));
      tenants.push({ ...tenant, standing: afterwards(tenant.standing) });
      const task = walker.tasks.next().value;
      if (task !== undefined) tenant.walkers.push({ ...walker, task, standing: afterwards(walker.standing) });
    }
  }
  return next;
}

function byPriority(flows: readonly Flow[], order: FairOrder): Flow[][] {
  const levels = new Map<number, Flow[]>();
  for (const flow of flows) {
    const { priority } = order.standing(flow);
    const level = levels.get(priority);
    if (level === undefined) levels.set(priority, [flow]);
    else level.push(flow);
  }
  return [...levels].sort(([a], [b]) => b - a).map(([, level]) => level);
}

function tenantsOf(
  flows: readonly Flow[],
  order: FairOrder,
  given: ReadonlyMap<string | undefined, Standing>,
): TinyQueue<Tenant> {
  const tenants = new Map<string | undefined, Tenant>();
  for (const flow of flows) {
    const { tenant, own } = order.standing(flow);
    const tasks = flow.tasks();
    const task = tasks.next().value;
    if (task === undefined) continue;
    const found = tenants.get(flow.tenant) ?? {
      name: flow.tenant,
      walkers: new TinyQueue<Walker>([], byTurn),
      standing: given.get(flow.tenant) ?? tenant,
    };
    tenants.set(flow.tenant, found);
    found.walkers.push({ tasks, task, standing: own });
  }
  return new TinyQueue([...tenants.values()], byTurn);
}

function byTurn(a: { standing: Standing }, b: { standing: Standing }): number {
  return standsBefore(a.standing, b.standing) ? -1 : 1;
}

function dominantShare(reservation: Resources, capacity: Resources): number {
  return Math.max(
    ...keysOf(capacity).map((key) => {
      const whole = amountOf(capacity, key) ?? 0;
      return whole > 0 ? (amountOf(reservation, key) ?? 0) / whole : 0;
    }),
  );
}
