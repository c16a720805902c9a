import { constants } from 'node:os';
import { descendantsOf, startTicks } from '../sandbox/process-identity.js';
import type { Launcher } from './launcher.js';

/**
 * Kills what escaped from a task that has ended: orphans that gave up their token and were never in a cgroup. An orphan that
 * is older than every task that runs cannot belong to one of them.
 * @param running start times, in clock ticks since boot, of the tasks that run.
 * @returns how many were found; their own children turn up as orphans later.
 */
export function killUnowned(launcher: Launcher, running: readonly number[]): number {
  const orphans = launcher.orphans();
  if (orphans.length === 0) return 0;
  const oldest = Math.min(...running);
  const unowned = orphans.filter((pid) => (startTicks(pid) ?? Infinity) < oldest);
  for (const pid of unowned.flatMap((orphan) => [...descendantsOf(orphan), orphan]))
    launcher.signal(pid, constants.signals.SIGKILL);
  return unowned.length;
}
