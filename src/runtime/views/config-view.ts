import type { Resources } from '../../task/resources.js';
import type { Platform } from '../../task/capabilities.js';
import { timestamp } from './task-view.js';

/** The flags of `serve` as they are in force. */
export interface ConfigFacts {
  runtimeId: string;
  listenAddr: string;
  listenSocket: string | undefined;
  listenSocketMode: number;
  allowHosts: readonly string[];
  insecure: boolean;
  dataDir: string;
  maxRunningTasks: number;
  maxQueuedTasks: number;
  maxConnections: number;
  maxBodyBytes: number;
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
  taskUser: string | undefined;
  allowRootfs: readonly string[];
  launcher: string;
  tenantQuotas: ReadonlyMap<string, Resources>;
  capacityCpuMillis: number | undefined;
  capacityMemoryBytes: number | undefined;
  capacityPids: number | undefined;
  drain: boolean;
  logLevel: string;
}

/** The body of `GET /api/v1/runtime/config`: every flag, under its own name or a plural of it. */
export function configView(config: ConfigFacts): object {
  return {
    runtime_id: config.runtimeId,
    listen_addr: config.listenAddr,
    listen_socket: config.listenSocket,
    listen_socket_mode:
      config.listenSocket === undefined ? undefined : `0${config.listenSocketMode.toString(8)}`,
    allow_hosts: config.allowHosts,
    insecure: config.insecure,
    data_dir: config.dataDir,
    max_running_tasks: config.maxRunningTasks,
    max_queued_tasks: config.maxQueuedTasks,
    max_connections: config.maxConnections,
    max_body_bytes: config.maxBodyBytes,
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
    linux_sandbox_enabled: !config.disableLinuxSandbox,
    task_user: config.taskUser,
    allow_rootfs: config.allowRootfs,
    launcher: config.launcher,
    tenant_quotas: Object.fromEntries(config.tenantQuotas),
    capacity_cpu_millis: config.capacityCpuMillis,
    capacity_memory_bytes: config.capacityMemoryBytes,
    capacity_pids: config.capacityPids,
    drain: config.drain,
    log_level: config.logLevel,
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
