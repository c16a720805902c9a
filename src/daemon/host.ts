import { detectCapacity } from '../executor/local/capacity.js';
import { probeCapabilities, type ProbedHost } from '../sandbox/capabilities.js';
import { launcherKind } from '../supervisor/spawn/choose-launcher.js';
import type { Resources } from '../task/resources.js';
import type { Config } from './config.js';
import type { Part } from './lifecycle.js';

/** What this machine can do, and what of it tasks may have. */
export interface Host extends ProbedHost {
  capacity: Resources;
}

export const host: Part<{ config: Config; now: () => number }, Host> = {
  start: async ({ config, now }) => {
    const launcher = await launcherKind(config.launcher);
    const capacity = detectCapacity({
      taskSlots: config.maxRunningTasks,
      cpuMillis: config.capacityCpuMillis,
      memoryBytes: config.capacityMemoryBytes,
      pids: config.capacityPids,
      diskBytes: config.capacityDiskBytes,
      resources: config.resources,
    });
    return { ...(await probeCapabilities({ ...config, launcher, now })), capacity };
  },
};
