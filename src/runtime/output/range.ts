import type { OutputBytes } from '../../task/output.js';
import { warningsOf, withSnapshot } from './snapshot.js';
import type { OutputSource } from './source.js';

/** {@link OutputBytes} without the stream's name, which files do not know. */
export type RangeRead = Omit<OutputBytes, 'stream'>;

/**
 * Reads up to `limit` bytes from `offset`. If those bytes were not kept, it continues at the next ones that were, and
 * `offset` of the answer says so. For an offset past the end the answer is empty.
 */
export function readRange(source: OutputSource, offset: number, limit: number): Promise<RangeRead> {
  return withSnapshot(source, async (s) => {
    const from = offset >= s.kept && offset < s.tailFrom ? s.tailFrom : offset;
    const data = await s.read(from, Math.min(s.total, from + limit));
    const next = from + data.length;
    return {
      attempt: source.attempt,
      offset: from,
      data,
      next_offset: next,
      total_bytes: s.total,
      kept_bytes: s.kept,
      omitted_bytes: s.omitted,
      eof: source.final && next >= s.total,
      ...warningsOf(s),
    };
  });
}
