import type { TaskView } from '../client/index.js';
import { formatDuration, formatSize } from './units.js';

/** The limits of a task for people: those on its run, and how long it may wait. What is kept of its output is not among them. */
export function limitsText(limits: TaskView['limits']): string {
  const { wall_time_ms: wall, cpu_time_sec, cpu_millis, memory_bytes, pids_max, queue_timeout_ms } = limits;
  const words = [
    wall === undefined || wall === 0 ? 'no wall time' : `wall time ${formatDuration(wall)}`,
    cpu_time_sec === undefined ? undefined : `CPU time ${formatDuration(cpu_time_sec * 1000)}`,
    cpu_millis === undefined ? undefined : `${String(cpu_millis / 1000)} cores`,
    memory_bytes === undefined ? undefined : `memory ${formatSize(memory_bytes)}`,
    pids_max === undefined ? undefined : `${String(pids_max)} processes`,
    queue_timeout_ms === undefined ? undefined : `${formatDuration(queue_timeout_ms)} of waiting`,
  ];
  return words.filter((word) => word !== undefined).join(', ');
}
