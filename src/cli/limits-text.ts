import type { TaskView } from '../client/index.js';
import { LIMITS } from '../sandbox/limits/limits.js';
import { formatDuration, formatSize } from './units.js';

/** Limits on a run, in words. */
export function limitWords(limits: Readonly<Record<string, number | undefined>>): string[] {
  return LIMITS.flatMap(({ name, words }) => {
    const value = limits[name];
    return value === undefined ? [] : [words(value, { duration: formatDuration, size: formatSize })];
  });
}

/**
 * The limits of a task for people: those on its run, and how long it may wait. Limits on the output that is kept are left
 * out.
 */
export function limitsText({ queue_timeout_ms, ...limits }: TaskView['limits']): string {
  const words = limitWords({ ...limits, wall_time_ms: limits.wall_time_ms ?? 0 });
  if (queue_timeout_ms !== undefined) words.push(`${formatDuration(queue_timeout_ms)} of waiting`);
  return words.join(', ');
}
