import type { Mechanism, Scope } from '../sandbox/limits/limit.js';
import type { LimitName, LimitPlan } from '../sandbox/limits/limits.js';
import type { CapabilityMode, SandboxProfile } from './request.js';
import type { Resources } from './resources.js';

export interface Namespaces {
  mount: boolean;
  pid: boolean;
  uts: boolean;
  ipc: boolean;
  net: boolean;
}

/** A sandbox as requested, or as it will really be. */
export interface SandboxView {
  profile: SandboxProfile;
  workspace_subdir?: string | undefined;
  rootfs?: string | undefined;
  chroot: boolean;
  namespaces?: Namespaces | undefined;
  /** What sets the namespaces up; absent when there are none. */
  mechanism?: 'unshare' | 'bubblewrap' | undefined;
  /** The user the task runs as, when the daemon switches users. */
  user?: string | undefined;
}

/** What holds of each limit, and by what mechanism: of those that the request names, and of some that it does not. */
export interface ResourceEnforcement
  extends
    Partial<Record<LimitName, number | undefined>>,
    Partial<Record<`${LimitPlan}_mechanism`, Mechanism | undefined>>,
    Partial<Record<`${LimitPlan}_enforced`, boolean | undefined>>,
    Partial<Record<`${LimitPlan}_scope`, Scope | undefined>> {
  /** 0: as long as it takes, and no mechanism. */
  wall_time_ms: number;
  /** Who set the wall time; absent in plans of earlier versions. */
  wall_time_source?: 'request' | 'default' | undefined;
  cpu_time_enforced: boolean;
  memory_enforced: boolean;
  pids_enforced: boolean;
  cgroup_enforced: boolean;
  oom_detection: boolean;
}

/** Requested against enforced, decided once at submit and kept for audit. */
export interface ExecutionPlan {
  capability_mode: CapabilityMode;
  requested_sandbox: SandboxView;
  effective_sandbox: SandboxView;
  resource_enforcement: ResourceEnforcement;
  degraded: boolean;
  fallback_reasons?: string[] | undefined;
  capability_warnings?: string[] | undefined;
}

/** A plan and the share of the ledger that goes with it. */
export interface PlannedTask {
  plan: ExecutionPlan;
  reservation: Resources;
}
