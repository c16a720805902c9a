import fs from 'node:fs';
import path from 'node:path';
import { isSameProcess } from '../../sandbox/process/process-identity.js';
import type { LiveRecord, SupervisorRecord } from '../../store/records.js';
import { ok, problem, type Finding } from './finding.js';

/**
 * Checks whether the supervisors that running tasks need are alive. A supervisor without tasks ends with its daemon, but its
 * row stays until the next start.
 * @param bootId of the present boot
 * @param served whether a daemon is running
 */
export function supervisorFindings(
  dataDir: string,
  supervisors: readonly SupervisorRecord[],
  live: readonly LiveRecord[],
  bootId: string,
  served: boolean,
): Finding[] {
  const found: Finding[] = [];
  const add = (message: string, advice: string) => found.push(problem('supervisor', message, advice));
  const running = live.flatMap((t) => (t.status === 'running' ? [{ ...t.attempt, task_id: t.task_id }] : []));
  const alive = new Set<string>();
  for (const s of supervisors) {
    if (!isSameProcess(s, bootId)) {
      if (!served && !running.some((t) => t.launch_id !== null && t.incarnation === s.incarnation)) continue;
      add(
        `supervisor ${s.incarnation} (pid ${s.pid}) is gone`,
        'a daemon notices by itself: if one runs, look into its log; if none does, start it',
      );
    } else if (!fs.existsSync(path.join(dataDir, 'supervisor', s.incarnation)))
      add(
        `supervisor ${s.incarnation} (pid ${s.pid}) has lost its directory`,
        'it ends its tasks and itself; restart the daemon to get another one',
      );
    else alive.add(s.incarnation);
  }
  const lost = running.filter((t) => t.launch_id === null || !alive.has(t.incarnation));
  if (lost.length > 0)
    add(
      `${lost.length} running tasks have no living supervisor, the first is ${lost[0]?.task_id ?? ''}`,
      'start the daemon, or restart it: it ends them as lost',
    );
  if (found.length > 0) return found;
  return [ok('supervisor', `${alive.size} alive, with ${running.length} running tasks`)];
}
