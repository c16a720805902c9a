import type { HostCapabilities } from '../task/capabilities.js';
import type { Resources } from '../task/resources.js';
import type { Capabilities } from '../task/runtime-view.js';
import { LIMIT_CAPABILITIES, type LimitCapability } from './limits/limits.js';

export interface CapabilitiesViewOptions {
  runtimeId: string;
  capacity: Resources;
  /** Capabilities that the operator switched off or set, e.g. `cgroup: disabled`. */
  overrides: Record<string, string>;
}

/** What is true on every host. */
const STABLE_SEMANTICS = [
  'submit',
  'status',
  'events',
  'stdout_stderr',
  'timeout',
  'kill',
  'artifacts',
  'result_persistence',
  'recovery',
];

/** The body of `GET /api/v1/runtime/capabilities`. Pure. */
export function capabilitiesView(caps: HostCapabilities, options: CapabilitiesViewOptions): Capabilities {
  const anyNamespace = Object.values(caps.namespaces).some(Boolean);
  const { task_slots, cpu_millis, memory_bytes, pids } = options.capacity;
  const enhanced = [
    ['resource_ledger', true],
    ['linux_sandbox', caps.linux_sandbox],
    ['namespaces', anyNamespace],
    ['chroot', caps.chroot],
    ['cgroup_memory', caps.memory_limit],
    ['cgroup_pids', caps.pids_limit],
    ['cgroup_cpu', caps.cpu_quota],
    ['oom_detection', caps.oom_detection],
  ] as const;
  return {
    runtime_id: options.runtimeId,
    snapshot_version: 'v1',
    collected_at: new Date(caps.collected_at_ms).toISOString(),
    platform: caps.platform,
    execution: { command: true, script: true, process_group: true, launcher: caps.launcher },
    sandbox: {
      process: true,
      linux_sandbox: caps.linux_sandbox,
      chroot: caps.chroot,
      namespaces: caps.namespaces,
      bubblewrap: caps.bubblewrap,
      switch_user: caps.switch_user,
    },
    storage: { data_dir_writable: caps.data_dir_writable },
    resources: {
      cgroup: caps.cgroup,
      cgroup_v2: caps.cgroup_v2,
      cgroup_writable: caps.cgroup_writable,
      cgroup_tracking: caps.cgroup_tracking,
      cgroup_freezer: caps.cgroup_freezer,
      oom_detection: caps.oom_detection,
      ...(Object.fromEntries(LIMIT_CAPABILITIES.map((name) => [name, caps[name]])) as Record<
        LimitCapability,
        boolean
      >),
      ledger: true,
      capacity: {
        task_slots,
        ...(cpu_millis === undefined ? {} : { cpu_millis }),
        ...(memory_bytes === undefined ? {} : { memory_bytes }),
        ...(pids === undefined ? {} : { pids }),
      },
    },
    stable_semantics: STABLE_SEMANTICS,
    enhanced_semantics: enhanced.filter(([, real]) => real).map(([name]) => name),
    reasons: caps.reasons,
    ...(caps.warnings.length === 0 ? {} : { warnings: caps.warnings }),
    degraded: !caps.linux_sandbox || !caps.memory_limit || !caps.pids_limit,
    ...(Object.keys(options.overrides).length === 0 ? {} : { overrides: options.overrides }),
  };
}
