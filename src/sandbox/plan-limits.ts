import type { HostCapabilities } from '../task/capabilities.js';
import type { ResourceEnforcement } from '../task/plan.js';
import type { TaskRequest } from '../task/request.js';
import type { Resources } from '../task/resources.js';
import { CONTROLLER_NAMES } from './limits/controllers.js';
import type { Holder, Mechanism, Scope } from './limits/limit.js';
import { LIMITS, type ChainLimit, type LimitCapability } from './limits/limits.js';
import { why, type Notes, type PlanDefaults } from './plan-notes.js';

type AnyLimit = (typeof LIMITS)[number];

/**
 * First the limits that need no cgroup, then by controller: plans are compared as JSON, so the order of their reasons must
 * not change.
 */
const IN_ORDER_OF_REASONS = LIMITS.filter(({ holders }) => holders.length > 0).sort(
  (a, b) => rank(a) - rank(b),
);

/** Decides what enforces each limit of a request, and notes each that is not enforced as requested. Pure. */
export function enforceLimits(
  { limits }: Pick<TaskRequest, 'limits'>,
  caps: HostCapabilities,
  defaults: PlanDefaults,
  notes: Notes,
): ResourceEnforcement {
  const held = new Map<AnyLimit, Held>();
  for (const limit of IN_ORDER_OF_REASONS) {
    if (limits[limit.name] !== undefined) held.set(limit, holdBy(limit, caps, defaults, notes));
  }
  const byCgroup = [...held.values()].some(({ mechanism }) => isCgroup(mechanism));
  // Assigned, not spread: this is done for each task, and V8 makes slow dictionaries of spreads.
  const told = {} as LimitsTold;
  for (const limit of LIMITS) {
    if (limit.holders.length > 0) Object.assign(told, tell(limit, limits[limit.name], held.get(limit)));
  }
  return Object.assign(wallTime(limits.wall_time_ms, defaults), told, {
    cgroup_enforced: byCgroup,
    oom_detection: isCgroup(heldMechanism(held, 'memory_bytes')) && caps.oom_detection,
  });
}

/** What a task reserves: one slot, and what its limits name. */
export function reservationOf({ limits }: Pick<TaskRequest, 'limits'>): Resources {
  const reservation: Resources = { task_slots: 1 };
  for (const { name, reserves } of LIMITS) {
    const amount = limits[name];
    if (reserves !== undefined && amount !== undefined) reservation[reserves] = amount;
  }
  const named = Object.entries(limits.resources ?? {});
  if (named.length > 0)
    reservation.resources = Object.fromEntries(named.sort(([a], [b]) => (a < b ? -1 : 1)));
  return reservation;
}

/** The word of a plan for what the launch chain does. */
export function chainMechanism(holder: ChainLimit['holder']): Mechanism {
  return holder.by === 'rlimit' ? 'rlimit' : holder.mechanism;
}

export function isCgroup(mechanism: Mechanism | undefined): boolean {
  return mechanism === 'cgroup_v1' || mechanism === 'cgroup_v2';
}

type LimitsTold = Omit<
  ResourceEnforcement,
  'wall_time_ms' | 'wall_time_mechanism' | 'wall_time_source' | 'cgroup_enforced' | 'oom_detection'
>;

interface Held {
  mechanism: Mechanism;
  scope?: Scope | undefined;
}

function rank({ holders }: AnyLimit): number {
  const ranks = holders.map((each) =>
    each.by === 'cgroup' ? CONTROLLER_NAMES.indexOf(each.controller) : -1,
  );
  return Math.max(...ranks);
}

/**
 * The best mechanism that this host has for a limit. If it is not the best one there is, or there is none, that is noted
 * with the reason.
 */
function holdBy(limit: AnyLimit, caps: HostCapabilities, defaults: PlanDefaults, notes: Notes): Held {
  const [best, ...others] = limit.holders;
  const host = { taskUser: defaults.taskUser, cgroup: caps.cgroup, memory_limit: caps.memory_limit };
  if (best === undefined) return { mechanism: 'none' };
  if (has(best, caps)) {
    const missed = best.by === 'cgroup' ? best.misses?.(host) : undefined;
    if (missed !== undefined) notes.fallbacks.push(`${limit.name} ${missed}`);
    return { mechanism: mechanismOf(best, caps), scope: scopeOf(best) };
  }
  const reason = best.capability === undefined ? '' : why(caps, best.capability);
  for (const holder of others) {
    const less = holder.by === 'rlimit' && has(holder, caps) ? holder.instead?.(host) : undefined;
    if (less === undefined) continue;
    notes.fallbacks.push(`${limit.name} ${less}${reason}`);
    return { mechanism: mechanismOf(holder, caps), scope: scopeOf(holder) };
  }
  notes.fallbacks.push(`${limit.name} is not enforced${reason}`);
  return { mechanism: 'none' };
}

function has({ capability }: Holder<LimitCapability>, caps: HostCapabilities): boolean {
  return capability === undefined || caps[capability];
}

function scopeOf(holder: Holder): Scope | undefined {
  return 'scope' in holder ? holder.scope : undefined;
}

function mechanismOf(holder: Holder<LimitCapability>, caps: HostCapabilities): Mechanism {
  if (holder.by === 'supervisor') return holder.mechanism;
  if (holder.by !== 'cgroup') return chainMechanism(holder);
  return caps.cgroup === 'v2' ? 'cgroup_v2' : 'cgroup_v1';
}

function tell(
  { name, plan, alwaysTold }: AnyLimit,
  value: number | undefined,
  held: Held | undefined,
): object {
  const enforced = { [`${plan}_enforced`]: held !== undefined && held.mechanism !== 'none' };
  if (held === undefined) return alwaysTold === true ? enforced : {};
  const mechanism = { [`${plan}_mechanism`]: held.mechanism };
  return {
    [name]: value,
    // This order is that of older plans: plans are compared as JSON.
    ...(alwaysTold === true ? { ...mechanism, ...enforced } : { ...enforced, ...mechanism }),
    ...(held.scope === undefined ? {} : { [`${plan}_scope`]: held.scope }),
  };
}

function wallTime(requested: number | undefined, defaults: PlanDefaults) {
  const wall_time_ms = requested ?? defaults.wallTimeMs;
  return {
    wall_time_ms,
    ...(wall_time_ms === 0 ? {} : { wall_time_mechanism: 'supervisor' as const }),
    wall_time_source: requested === undefined ? ('default' as const) : ('request' as const),
  };
}

function heldMechanism(held: Map<AnyLimit, Held>, name: string): Mechanism | undefined {
  return [...held].find(([limit]) => limit.name === name)?.[1].mechanism;
}
