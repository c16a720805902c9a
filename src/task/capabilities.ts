import type { LimitCapability } from '../sandbox/limits/limits.js';
import type { Namespaces } from './plan.js';
import type { Platform } from './runtime-view.js';

/** What this host was seen to be able to do when the daemon started; of limits, what can hold them. */
export interface HostCapabilities extends Record<LimitCapability, boolean> {
  collected_at_ms: number;
  platform: Platform;
  /** `libc` where koffi serves, `execa` otherwise. */
  launcher: 'libc' | 'execa';
  linux_sandbox: boolean;
  chroot: boolean;
  namespaces: Namespaces;
  /** Namespaces without root, through bubblewrap. */
  bubblewrap: boolean;
  /** unshare(1) ends by SIGKILL when what it waits for did; false when unshare is not used. */
  unshare_passes_kill: boolean;
  data_dir_writable: boolean;
  /** Which cgroup files the supervisor writes to. */
  cgroup: 'v2' | 'v1' | 'hybrid' | 'none';
  cgroup_v2: boolean;
  cgroup_writable: boolean;
  oom_detection: boolean;
  /** A directory per task that finds every process of it. */
  cgroup_tracking: boolean;
  /** That directory can stop them all. */
  cgroup_freezer: boolean;
  switch_user: boolean;
  /** Why a capability is missing, by its name. */
  reasons: Record<string, string>;
  warnings: string[];
}
