import type { TaskView } from '../client/index.js';
import { LIMITS } from '../sandbox/limits/limits.js';
import { formatDuration, formatSize } from './units.js';

/**
 * The limits of a task for people: those on its run, and how long it may wait. Limits on the output that is kept are left
 * out.
 */
export function limitsText({ queue_timeout_ms, ...limits }: TaskView['limits']): string {
  const asked: TaskView['limits'] = { ...limits, wall_time_ms: limits.wall_time_ms ?? 0 };
  const words = LIMITS.flatMap(({ name, words }) => {
    const value = asked[name];
    return value === undefined ? [] : [words(value, { duration: formatDuration, size: formatSize })];
  });
  if (queue_timeout_ms !== undefined) words.push(`${formatDuration(queue_timeout_ms)} of waiting`);
  return words.join(', ');
}
