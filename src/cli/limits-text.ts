import type { TaskView } from '../client/index.js';
import { LIMITS } from '../sandbox/limits/limits.js';
import { plain } from './terminal.js';
import { formatDuration, formatSize } from './units.js';

/** What `limits` of a request or of a queue say: amounts, but for named resources an amount of each. */
type Limits = Readonly<Record<string, number | Readonly<Record<string, number>> | undefined>>;

/** Limits on a run, in words. */
export function limitWords({ resources = {}, ...limits }: Limits): string[] {
  const words = LIMITS.flatMap(({ name, words }) => {
    const value = limits[name];
    return typeof value !== 'number' ? [] : [words(value, { duration: formatDuration, size: formatSize })];
  });
  return [...words, ...Object.entries(resources).map(([name, amount]) => `${String(amount)} ${plain(name)}`)];
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
