import fs from 'node:fs';
import os from 'node:os';
import type { NamedResources } from '../../task/named-resource.js';
import type { Resources } from '../../task/resources.js';

/** Amounts that the operator has set; the others are detected, but for disk space, of which there is no bound then. */
export interface CapacitySettings {
  taskSlots: number;
  cpuMillis: number | undefined;
  memoryBytes: number | undefined;
  pids: number | undefined;
  diskBytes: number | undefined;
  resources: NamedResources;
}

/** What this machine has for tasks: thousandths of a core, bytes, processes. */
export function detectCapacity(set: CapacitySettings): Resources {
  return {
    task_slots: set.taskSlots,
    cpu_millis: set.cpuMillis ?? os.availableParallelism() * 1000,
    memory_bytes: set.memoryBytes ?? memory(),
    pids: set.pids ?? kernelPids(),
    ...(set.diskBytes === undefined ? {} : { disk_bytes: set.diskBytes }),
    ...named(set.resources),
  };
}

function named(resources: NamedResources): Pick<Resources, 'resources'> {
  if (resources.size === 0) return {};
  return { resources: Object.fromEntries([...resources].map(([name, { amount }]) => [name, amount])) };
}

/** The memory of the machine, or the limit of the daemon's own cgroup if that is lower. */
function memory(): number {
  const total = os.totalmem();
  const constrained = process.constrainedMemory();
  return constrained > 0 && constrained < total ? constrained : total;
}

/** The highest process id of the kernel; undefined without /proc. */
function kernelPids(): number | undefined {
  try {
    const max = Number(fs.readFileSync('/proc/sys/kernel/pid_max', 'utf8'));
    return Number.isSafeInteger(max) && max > 0 ? max : undefined;
  } catch {
    return undefined;
  }
}
