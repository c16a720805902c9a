import type { TaskRequest } from './request.js';

/**
 * How many bytes of a stream are kept from its start: at least as many as a status shows.
 * @param byDefault used when the request does not say, which requests of earlier versions never do
 */
export function keptBytes(
  limits: TaskRequest['limits'],
  stream: 'stdout' | 'stderr',
  byDefault: number,
): number {
  return limits[`${stream}_keep_bytes`] ?? Math.max(byDefault, limits[`${stream}_max_bytes`]);
}
