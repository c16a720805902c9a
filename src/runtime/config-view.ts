import type { Platform } from '../task/capabilities.js';
import { timestamp } from './task-view.js';

/** The flags of `serve` that `config` and `capabilities` tell. */
export interface ConfigFacts {
  runtimeId: string;
  listenAddr: string;
  dataDir: string;
  maxRunningTasks: number;
  maxQueuedTasks: number;
  terminationGraceMs: number;
  /** 0: none. */
  defaultWallTimeMs: number;
  outputKeepBytes: number;
  resultRetentionSecs: number;
  idempotencyRetentionSecs: number;
  gcIntervalMs: number;
  /** 0: no bound. */
  retainMaxTasks: number;
  retainMaxBytes: number;
  dispatchPollIntervalMs: number;
  starvationMs: number;
  cgroupRoot: string;
  defaultCapabilityMode: string;
  profile: string | undefined;
  tags: readonly string[];
  disableCgroup: boolean;
  disableLinuxSandbox: boolean;
  allowRootfs: readonly string[];
  capacityMemoryBytes: number | undefined;
  capacityPids: number | undefined;
}

/** The body of `GET /api/v1/runtime/config`. */
export function configView(config: ConfigFacts): object {
  return {
    runtime_id: config.runtimeId,
    listen_addr: config.listenAddr,
    data_dir: config.dataDir,
    max_running_tasks: config.maxRunningTasks,
    max_queued_tasks: config.maxQueuedTasks,
    termination_grace_ms: config.terminationGraceMs,
    default_wall_time_ms: config.defaultWallTimeMs,
    output_keep_bytes: config.outputKeepBytes,
    result_retention_secs: config.resultRetentionSecs,
    idempotency_retention_secs: config.idempotencyRetentionSecs,
    gc_interval_ms: config.gcIntervalMs,
    retain_max_tasks: config.retainMaxTasks,
    retain_max_bytes: config.retainMaxBytes,
    dispatch_poll_interval_ms: config.dispatchPollIntervalMs,
    starvation_ms: config.starvationMs,
    cgroup_root: config.cgroupRoot,
    default_capability_mode: config.defaultCapabilityMode,
    profile: config.profile,
    tags: config.tags,
    cgroup_enabled: !config.disableCgroup,
    allow_rootfs: config.allowRootfs,
  };
}

/** The body of `GET /api/v1/runtime/info`. */
export function infoView(
  runtimeId: string,
  version: string,
  startedAtMs: number,
  platform: Platform,
): object {
  return {
    runtime_id: runtimeId,
    version,
    started_at: timestamp(startedAtMs),
    snapshot_version: 'v1',
    platform,
  };
}

/** What the operator set against what was detected, as existing clients read it. */
export function overrides(config: ConfigFacts): Record<string, string> {
  return {
    ...(config.disableLinuxSandbox ? { linux_sandbox: 'disabled' } : {}),
    ...(config.disableCgroup ? { cgroup: 'disabled' } : {}),
    ...(config.capacityMemoryBytes === undefined
      ? {}
      : { capacity_memory_bytes: String(config.capacityMemoryBytes) }),
    ...(config.capacityPids === undefined ? {} : { capacity_pids: String(config.capacityPids) }),
  };
}
