import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';

/** What `/proc` counts CPU time in: 100 a second on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** CPU time and memory of one process at one moment. */
export interface ProcessUsage {
  /** From boot to its start, in seconds. */
  started_s: number;
  /** User and system time since then, in seconds. */
  cpu_s: number;
  /** From boot to this reading, in seconds. */
  read_s: number;
  /** Resident. */
  memory_bytes: number;
}

/** @returns undefined for a process that is gone, and where there is no /proc */
export function readProcessUsage(pid: number): ProcessUsage | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    // Field 3 is the first after the command, which stands in parentheses and may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = (field: number) => Number(fields[field - 3]) / TICKS_PER_SECOND;
    return {
      started_s: ticks(22),
      cpu_s: ticks(14) + ticks(15),
      read_s: uptime(),
      // In KiB, whatever the size of a page; a zombie has none.
      memory_bytes: Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1] ?? 0) * 1024,
    };
  } catch {
    return undefined;
  }
}
