import type { HostCapabilities } from '../../task/capabilities.js';
import type { Mechanism, ResourceEnforcement } from '../../task/plan.js';
import type { TaskRequest } from '../../task/request.js';
import { why, type Notes, type PlanDefaults } from '../plan-notes.js';

/** Decides what enforces each limit of a request, and notes each that is not enforced as asked for. Pure. */
export function enforceLimits(
  { limits }: TaskRequest,
  caps: HostCapabilities,
  defaults: PlanDefaults,
  notes: Notes,
): ResourceEnforcement {
  const cpuTime = limits.cpu_time_sec === undefined ? undefined : cpuTimeMechanism(caps, notes);
  const memory = limits.memory_bytes === undefined ? undefined : memoryMechanism(caps, notes);
  const pids = limits.pids_max === undefined ? undefined : pidsMechanism(caps, defaults, notes);
  const cpu = limits.cpu_millis === undefined ? undefined : cpuShareMechanism(caps, notes);
  return {
    ...wallTime(limits.wall_time_ms, defaults),
    ...(cpuTime === undefined ? {} : { cpu_time_sec: limits.cpu_time_sec, cpu_time_mechanism: cpuTime }),
    cpu_time_enforced: enforces(cpuTime),
    ...(cpuTime === 'rlimit' ? { cpu_time_scope: 'per_process' } : {}),
    ...(cpu === undefined
      ? {}
      : { cpu_millis: limits.cpu_millis, cpu_millis_enforced: enforces(cpu), cpu_millis_mechanism: cpu }),
    ...(memory === undefined ? {} : { memory_bytes: limits.memory_bytes, memory_mechanism: memory }),
    memory_enforced: enforces(memory),
    ...(pids === undefined ? {} : { pids_max: limits.pids_max, pids_mechanism: pids }),
    pids_enforced: enforces(pids),
    cgroup_enforced: [memory, pids, cpu].some(isCgroup),
    oom_detection: isCgroup(memory) && caps.oom_detection,
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

function cpuTimeMechanism(caps: HostCapabilities, notes: Notes): Mechanism {
  if (caps.rlimit_cpu) return 'rlimit';
  notes.fallbacks.push(`cpu_time_sec is not enforced${why(caps, 'rlimit_cpu')}`);
  return 'none';
}

function memoryMechanism(caps: HostCapabilities, notes: Notes): Mechanism {
  if (caps.memory_limit) return cgroupMechanism(caps);
  const reason = why(caps, 'memory_limit');
  if (!caps.rlimit_memory) {
    notes.fallbacks.push(`memory_bytes is not enforced${reason}`);
    return 'none';
  }
  notes.fallbacks.push(`memory_bytes limits the address space of each process (rlimit)${reason}`);
  return 'rlimit';
}

function pidsMechanism(caps: HostCapabilities, defaults: PlanDefaults, notes: Notes): Mechanism {
  if (caps.pids_limit) return cgroupMechanism(caps);
  const reason = why(caps, 'pids_limit');
  // The kernel counts RLIMIT_NPROC over all processes of a user, and not at all for root.
  if (defaults.taskUser !== undefined) {
    notes.fallbacks.push(`pids_max counts all processes of user ${defaults.taskUser} (rlimit)${reason}`);
    return 'rlimit';
  }
  notes.fallbacks.push(`pids_max is not enforced${reason}`);
  return 'none';
}

function cpuShareMechanism(caps: HostCapabilities, notes: Notes): Mechanism {
  if (caps.cpu_quota) return cgroupMechanism(caps);
  notes.fallbacks.push(`cpu_millis is not enforced${why(caps, 'cpu_quota')}`);
  return 'none';
}

function cgroupMechanism(caps: HostCapabilities): Mechanism {
  return caps.cgroup === 'v2' ? 'cgroup_v2' : 'cgroup_v1';
}

function isCgroup(mechanism: Mechanism | undefined): boolean {
  return mechanism === 'cgroup_v1' || mechanism === 'cgroup_v2';
}

function enforces(mechanism: Mechanism | undefined): boolean {
  return mechanism !== undefined && mechanism !== 'none';
}
