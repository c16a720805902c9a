import pidusage from 'pidusage';
import { answerQuestions } from '../../binary/asked-thread.js';

/** Share of one core in percent, and resident bytes, of a process. */
export interface Figures {
  cpu: number;
  memory: number;
}

/** How long pidusage keeps a process's file open. Milliseconds. */
const OPEN_MS = 5000;
/** So many processes are remembered at most; then all are forgotten, and their next figures are those of their whole life. */
const REMEMBERED_MAX = 4096;

/** CPU time and age of each process when it was last read, in milliseconds. */
const last = new Map<number, { ctime: number; elapsed: number }>();

/**
 * Over the time since the last reading; at the first one, over the life of the process. pidusage itself compares the first
 * reading with another one right after it, which gives 0.
 */
function cpuPercent(pid: number, now: { ctime: number; elapsed: number }): number {
  const before = last.get(pid);
  if (last.size > REMEMBERED_MAX) last.clear();
  last.set(pid, { ctime: now.ctime, elapsed: now.elapsed });
  // A process that is younger than the one before it is another one with its pid.
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
    // It ended between the listing and the reading.
    return [];
  }
}

/** Of those processes that are still there. */
answerQuestions(async (pids: number[]) => (await Promise.all(pids.map(figuresOf))).flat());
