import { cgroupPids, killCgroup, removeCgroup } from '../../sandbox/cgroup/cgroup.js';
import { wholeCgroup, type CgroupLayout } from '../../sandbox/cgroup/cgroup-layout.js';
import {
  carriesToken,
  findTokens,
  isSameProcess,
  type ProcessIdentity,
} from '../../sandbox/process/process-identity.js';
import { isErrno } from '../../files/errno.js';

/** How long to wait until the killed processes have ended. */
const GONE_TIMEOUT_MS = 2000;
const CHECK_MS = 20;
/** A process that was being spawned when its supervisor died shows its token only a moment later: one look is not enough. */
const LOOKS = 2;

/** What is known of an attempt whose supervisor died. */
export interface Remains {
  /** Name of its cgroup directories. */
  name: string;
  token: string;
  /** Its first process; `pid` is 0 when that is not known. */
  leader: ProcessIdentity;
}

/**
 * Kills what is left of attempts whose supervisor died: the process group if its leader is still the process that was
 * started, the cgroup, and every process with the token. A pid that belongs to another process by now matches none of these.
 * @returns by token, the pids that still exist after 2 s
 */
export async function killRemains(
  layout: CgroupLayout,
  attempts: readonly Remains[],
): Promise<Map<string, number[]>> {
  const deadline = performance.now() + GONE_TIMEOUT_MS;
  const survivors = new Map<string, number[]>();
  let open = attempts.map((attempt) => ({ ...attempt, cgroup: wholeCgroup(layout, attempt.name) }));
  for (let look = 1; open.length > 0; look++) {
    if (look > 1) await new Promise((resolve) => setTimeout(resolve, CHECK_MS));
    for (const { leader, cgroup } of open) {
      if (leader.pid > 1 && isSameProcess(leader, leader.boot_id)) signal(-leader.pid);
      if (cgroup !== undefined) killCgroup(cgroup);
    }
    // One search through all processes is enough for all attempts: there may be a thousand of each.
    const carriers = findTokens();
    const late = performance.now() > deadline;
    open = open.filter(({ token, cgroup }) => {
      const carrying = carriers.get(token) ?? [];
      for (const pid of carrying) if (carriesToken(pid, token)) signal(pid);
      const left = new Set([...carrying, ...(cgroup === undefined ? [] : cgroupPids(cgroup))]);
      if (left.size > 0 && late) survivors.set(token, [...left]);
      if (left.size > 0 || look < LOOKS) return !late;
      return cgroup !== undefined && !removeCgroup(cgroup) && !late;
    });
  }
  return survivors;
}

function signal(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!isErrno(error, 'ESRCH', 'EPERM')) throw error;
  }
}
