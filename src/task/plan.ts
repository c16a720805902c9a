import type { CapabilityMode, SandboxProfile } from './request.js';
import type { Resources } from './resources.js';

/** What enforces a limit on this host. */
export type Mechanism = 'cgroup_v2' | 'cgroup_v1' | 'rlimit' | 'supervisor' | 'none';

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

/** What holds of each limit, and by what mechanism. */
export interface ResourceEnforcement {
  /** 0: as long as it takes. */
  wall_time_ms: number;
  /** Absent where there is no limit. */
  wall_time_mechanism?: Mechanism | undefined;
  /** Who set the wall time; absent in plans of earlier versions. */
  wall_time_source?: 'request' | 'default' | undefined;
  cpu_time_sec?: number | undefined;
  cpu_time_enforced: boolean;
  cpu_time_mechanism?: Mechanism | undefined;
  /** RLIMIT_CPU counts each process by itself. */
  cpu_time_scope?: 'per_process' | undefined;
  cpu_millis?: number | undefined;
  cpu_millis_enforced?: boolean | undefined;
  cpu_millis_mechanism?: Mechanism | undefined;
  memory_bytes?: number | undefined;
  memory_enforced: boolean;
  memory_mechanism?: Mechanism | undefined;
  pids_max?: number | undefined;
  pids_enforced: boolean;
  pids_mechanism?: Mechanism | undefined;
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
