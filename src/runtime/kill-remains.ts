import { cgroupPids, killCgroup, removeCgroup } from '../sandbox/cgroup.js';
import { cgroupSpec, type CgroupLayout } from '../sandbox/cgroup-layout.js';
import {
  carriesToken,
  findByToken,
  isSameProcess,
  type ProcessIdentity,
} from '../sandbox/process-identity.js';
import { isErrno } from './errno.js';

/** How long to wait for what was killed to be gone. */
const GONE_TIMEOUT_MS = 2000;
const CHECK_MS = 20;

/**
 * Kills what is left of a launch whose supervisor died: its process group if the leader is still the one that was
 * started, its cgroup, and whatever carries its token. A recycled pid matches none of these.
 * @returns pids that are still there after 2 s
 */
export async function killRemains(
  layout: CgroupLayout,
  name: string,
  token: string,
  leader: ProcessIdentity,
): Promise<number[]> {
  const cgroup = cgroupSpec(layout, name, {});
  const deadline = performance.now() + GONE_TIMEOUT_MS;
  for (;;) {
    if (leader.pid > 1 && isSameProcess(leader, leader.boot_id)) signal(-leader.pid);
    if (cgroup !== undefined) killCgroup(cgroup);
    for (const pid of findByToken(token)) if (carriesToken(pid, token)) signal(pid);
    const left = new Set([...findByToken(token), ...(cgroup === undefined ? [] : cgroupPids(cgroup))]);
    if (left.size === 0 || performance.now() > deadline) {
      if (cgroup !== undefined) removeCgroup(cgroup);
      return [...left];
    }
    await new Promise((resolve) => setTimeout(resolve, CHECK_MS));
  }
}

function signal(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!isErrno(error, 'ESRCH', 'EPERM')) throw error;
  }
}
