import { cgroupPids } from '../../sandbox/cgroup/cgroup.js';
import { cgroupSpec, type CgroupLayout } from '../../sandbox/cgroup/cgroup-layout.js';
import { descendantsOf } from '../../sandbox/process/process-identity.js';
import { attemptName } from './launch-spec.js';
import type { Attempt } from '../executor.js';

/** The processes of a running attempt. @param pid of its first process */
export function attemptPids(
  { incarnation, launch_id }: Attempt,
  pid: number,
  layout: CgroupLayout,
): number[] {
  const cgroup = cgroupSpec(layout, attemptName(incarnation, launch_id), {});
  const inside = cgroup === undefined ? [] : cgroupPids(cgroup);
  // The first process is moved into the attempt's cgroup only soon after its start, and sometimes never.
  return inside.includes(pid) ? inside : [...new Set([pid, ...descendantsOf(pid), ...inside])];
}
