import pidusage from 'pidusage';
import { answerQuestions } from '../../binary/asked-thread.js';

/** Share of one core in percent, and resident bytes, of a process. */
export interface Figures {
  cpu: number;
  memory: number;
}

/** How long pidusage keeps a process's file open. Milliseconds. */
const OPEN_MS = 5000;
/**
 * At most this many processes are remembered. Then all are forgotten, and their next figures are averages over their whole
 * life.
 */
const REMEMBERED_MAX = 4096;

/** CPU time and age of each process when it was last read, in milliseconds. */
const last = new Map<number, { ctime: number; elapsed: number }>();

/**
 * Averages over the time since the last reading, or over the life of the process at the first. pidusage itself would take a
 * second reading right after the first, which gives 0.
 */
function cpuPercent(pid: number, now: { ctime: number; elapsed: number }): number {
  const before = last.get(pid);
  if (last.size > REMEMBERED_MAX) last.clear();
  last.set(pid, { ctime: now.ctime, elapsed: now.elapsed });
  // A process that is younger than at the last reading is another one with the same pid.
  const since = before !== undefined && before.elapsed < now.elapsed ? before : { ctime: 0, elapsed: 0 };
  const passed = now.elapsed - since.elapsed;
  return passed > 0 ? (Math.max(0, now.ctime - since.ctime) / passed) * 100 : 0;
}

async function figuresOf(pid: number): Promise<Figures[]> {
  try {
    const now = await pidusage(pid, { maxage: OPEN_MS });
    return [{ cpu: cpuPercent(pid, now), memory: now.memory }];
  } catch {
    last.delete(pid);
    // It ended after it was listed.
    return [];
  }
}

/** Of those processes that are still there. */
answerQuestions(async (pids: number[]) => (await Promise.all(pids.map(figuresOf))).flat());
