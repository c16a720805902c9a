import { readProcessUsage, type ProcessUsage } from '../sandbox/process-usage.js';
import type { Usage } from '../task/view.js';

/** A sample younger than this is served again: many polls cost one reading. */
const FRESH_MS = 1000;

/** Processes read at a stretch: 16 take about half a millisecond. */
const STRETCH = 16;

type Sample = Pick<Usage, 'cpu_percent' | 'memory_bytes' | 'processes'>;

/** What the processes of a tree had used when it was last read, by pid. */
type Readings = Map<number, ProcessUsage>;

interface Entry {
  sample: Sample;
  readings: Readings;
  taken_ms: number;
  pending: Promise<void> | undefined;
}

/** Live CPU and memory of running tasks, over all their processes, read only when somebody asks. */
export class UsageSampler {
  readonly #entries = new Map<string, Entry>();
  readonly #readTree = process.platform === 'linux' ? readProcesses : readProcessesElsewhere;

  /**
   * @param pids lists the task's processes now
   * @returns the newest sample; waits only for the first one
   */
  async read(taskId: string, pids: () => number[]): Promise<Sample> {
    const entry = this.#entries.get(taskId) ?? {
      sample: {},
      readings: new Map(),
      taken_ms: -Infinity,
      pending: undefined,
    };
    this.#entries.set(taskId, entry);
    if (entry.pending === undefined && performance.now() - entry.taken_ms > FRESH_MS)
      entry.pending = this.#take(entry, pids()).finally(() => {
        entry.pending = undefined;
      });
    if (entry.taken_ms === -Infinity) await entry.pending;
    return entry.sample;
  }

  /** Call when the task has ended. */
  forget(taskId: string): void {
    this.#entries.delete(taskId);
  }

  async #take(entry: Entry, pids: number[]): Promise<void> {
    const before = entry.readings;
    const now = await this.#readTree(pids);
    const sum = (figure: (usage: ProcessUsage, pid: number) => number) =>
      [...now].reduce((total, [pid, usage]) => total + figure(usage, pid), 0);
    entry.readings = now;
    entry.taken_ms = performance.now();
    entry.sample = {
      cpu_percent: Math.round(sum((usage, pid) => cpuShare(usage, before.get(pid))) * 1000) / 10,
      memory_bytes: sum(({ memory_bytes }) => memory_bytes),
      processes: now.size,
    };
  }
}

/** Share of one core since the reading before; without one of the same process, since its start. */
function cpuShare(now: ProcessUsage, before: ProcessUsage | undefined): number {
  const since =
    before?.started_s === now.started_s
      ? { at: before.read_s, cpu: before.cpu_s }
      : { at: now.started_s, cpu: 0 };
  const elapsed = now.read_s - since.at;
  return elapsed > 0 ? Math.max(0, now.cpu_s - since.cpu) / elapsed : 0;
}

/** From /proc, a stretch at a time, so that a tree of a thousand processes holds nobody up. */
async function readProcesses(pids: number[]): Promise<Readings> {
  const found: Readings = new Map();
  for (let at = 0; at < pids.length; at += STRETCH) {
    if (at > 0) await new Promise((next) => setImmediate(next));
    for (const pid of pids.slice(at, at + STRETCH)) {
      const usage = readProcessUsage(pid);
      if (usage !== undefined) found.set(pid, usage);
    }
  }
  return found;
}

/** Where there is no /proc: by the system's own tools, which tell a start no better than to the second. */
async function readProcessesElsewhere(pids: number[]): Promise<Readings> {
  const { default: pidusage } = await import('pidusage');
  const found: Readings = new Map();
  const read = async (pid: number) => {
    try {
      const { ctime, elapsed, memory, timestamp } = await pidusage(pid);
      const [read_s, cpu_s] = [timestamp / 1000, ctime / 1000];
      found.set(pid, { read_s, cpu_s, started_s: read_s - elapsed / 1000, memory_bytes: memory });
    } catch {
      // It ended between the listing and the reading.
    }
  };
  await Promise.all(pids.map(read));
  return found;
}
