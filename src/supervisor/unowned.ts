import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { descendantsOf, startTicks } from '../sandbox/process-identity.js';
import type { Launcher } from './launcher.js';

/** A task that runs, as far as it tells whether an orphan can be its own. */
export interface PossibleOwner {
  /** Start time in clock ticks since boot, or a moment before it. */
  startTicks: number;
  /** Its processes are in a cgroup of their own. */
  tracked: boolean;
}

/**
 * Kills what escaped from a task that has ended: orphans that gave up their token and are in no task's cgroup, because there
 * was none or because they were forked before their leader was moved. An orphan cannot belong to a task that started after
 * it, nor outside of every task's cgroup to one that has a cgroup.
 * @param owners the tasks that run; asked for only when there are orphans.
 * @returns how many were found; their own children turn up as orphans later.
 */
export function killUnowned(launcher: Launcher, owners: () => readonly PossibleOwner[]): number {
  const orphans = launcher.orphans();
  if (orphans.length === 0) return 0;
  const running = owners();
  const outside = cgroupsOf('self');
  const unowned = orphans.filter((pid) => {
    const start = startTicks(pid) ?? Infinity;
    const isOutside = outside !== undefined && cgroupsOf(pid) === outside;
    return running.every((task) => start < task.startTicks || (task.tracked && isOutside));
  });
  for (const pid of unowned.flatMap((orphan) => [...descendantsOf(orphan), orphan]))
    launcher.signal(pid, constants.signals.SIGKILL);
  return unowned.length;
}

/** @returns all cgroups of a process as text; undefined when it is gone or there is no /proc. */
function cgroupsOf(pid: number | 'self'): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  } catch {
    return undefined;
  }
}
