import { CONTROLLER_NAMES } from './controllers.js';
import { core } from './core.js';
import { cpuMillis } from './cpu-millis.js';
import { cpuTime } from './cpu-time.js';
import { disk } from './disk.js';
import { ioRead, ioWrite } from './io.js';
import type { CgroupHolder, CommandHolder, Holder, Limit, RlimitHolder } from './limit.js';
import { memory } from './memory.js';
import { nice } from './nice.js';
import { nofile } from './nofile.js';
import { pids } from './pids.js';
import { wallTime } from './wall-time.js';

const ALL = [wallTime, cpuTime, cpuMillis, memory, pids, disk, ioRead, ioWrite, nofile, core, nice] as const;

type Each = (typeof ALL)[number];
type HolderOf = Each['holders'][number];

/** What a request calls a limit on how a task runs. */
export type LimitName = Each['name'];
/** What the fields of a plan begin with that tell of a limit. */
export type LimitPlan = Each['plan'];
/** What the host's capabilities call what can hold a limit. */
export type LimitCapability = HolderOf extends infer H
  ? H extends { capability: infer C extends string }
    ? C
    : never
  : never;

/** Every limit on how a task runs, in the order in which requests, plans and people are told them. */
export const LIMITS: readonly Limit<LimitName, LimitPlan, LimitCapability>[] = ALL;

/** A limit with the cgroup that can hold it. */
export interface CgroupLimit {
  limit: Limit<LimitName, LimitPlan, LimitCapability>;
  holder: CgroupHolder<LimitCapability>;
}

/** What cgroups can hold, in the order of their controllers. */
export const CGROUP_LIMITS: readonly CgroupLimit[] = CONTROLLER_NAMES.flatMap((controller) =>
  LIMITS.flatMap((limit) =>
    limit.holders.flatMap((holder) =>
      holder.by === 'cgroup' && holder.controller === controller ? [{ limit, holder }] : [],
    ),
  ),
);

/** A limit with what holds it in the launch chain. */
export interface ChainLimit {
  limit: Limit<LimitName, LimitPlan, LimitCapability>;
  holder: RlimitHolder<LimitCapability> | CommandHolder<LimitCapability>;
}

/** What the launch chain can hold. */
export const CHAIN_LIMITS: readonly ChainLimit[] = LIMITS.flatMap((limit) =>
  limit.holders.flatMap((holder) =>
    holder.by === 'cgroup' || holder.by === 'supervisor' ? [] : [{ limit, holder }],
  ),
);

/** The names, in the host's capabilities, of what holds limits: in cgroups, in the launch chain, and all together. */
export const CGROUP_CAPABILITIES = capabilitiesOf(CGROUP_LIMITS);
export const CHAIN_CAPABILITIES = capabilitiesOf(CHAIN_LIMITS);
export const LIMIT_CAPABILITIES = [...CHAIN_CAPABILITIES, ...CGROUP_CAPABILITIES];

function capabilitiesOf(limits: readonly { holder: Holder<LimitCapability> }[]): readonly LimitCapability[] {
  return [...new Set(limits.flatMap(({ holder: { capability } }) => capability ?? []))];
}
