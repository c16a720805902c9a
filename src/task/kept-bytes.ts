import type { TaskRequest } from './request.js';

/**
 * How much of a stream is kept from its start, in bytes: at least what a status shows of it.
 * @param byDefault where the request does not say: one that an earlier version accepted never does
 */
export function keptBytes(
  limits: TaskRequest['limits'],
  stream: 'stdout' | 'stderr',
  byDefault: number,
): number {
  return limits[`${stream}_keep_bytes`] ?? Math.max(byDefault, limits[`${stream}_max_bytes`]);
}
