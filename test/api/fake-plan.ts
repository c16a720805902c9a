import type { PlannedTask } from '../../src/task/plan.js';

const sandbox = { profile: 'process', chroot: false } as const;

/** A plan of which nothing matters but that it arrives. */
export const resolvedPlan: PlannedTask = {
  plan: {
    capability_mode: 'adaptive',
    requested_sandbox: sandbox,
    effective_sandbox: sandbox,
    resource_enforcement: {
      wall_time_ms: 300_000,
      wall_time_mechanism: 'supervisor',
      cpu_time_enforced: false,
      memory_enforced: false,
      pids_enforced: false,
      cgroup_enforced: false,
      oom_detection: false,
    },
    degraded: false,
  },
  reservation: { task_slots: 1 },
};
