import type { OutputBytes } from '../../task/output.js';
import { strayBytes, unfinishedBytes } from './utf8.js';

/** How bytes stand in JSON: as text with U+FFFD for what is not UTF-8, or exactly. */
export type Encoding = 'utf8' | 'base64';

/** A range as text always holds a whole character, unless the task has not written all of it yet. */
export const TEXT_MIN_BYTES = 4;

/** A range's data, and the range that it stands for. */
interface Cut<T> {
  offset: number;
  next_offset: number;
  data: T;
}

/** The data of a range as JSON holds it. @param asked the offset that was asked for */
export function encodeRange(range: OutputBytes, asked: number, encoding: Encoding): Cut<string> {
  const { offset, next_offset, data } = cutRange(range, asked, encoding);
  return { offset, next_offset, data: data.toString(encoding) };
}

/**
 * What of a range is answered. Text is cut between characters: bytes of one that goes on behind the range are left for
 * the next, and bytes of one whose beginning is gone are left out.
 * @param asked the offset that was asked for
 */
export function cutRange(range: OutputBytes, asked: number, encoding: Encoding): Cut<Buffer> {
  const { offset, next_offset, data } = range;
  if (encoding === 'base64') return { offset, next_offset, data };
  const start = offset > asked ? strayBytes(data) : 0;
  const end = data.length - (isCutShort(range) ? unfinishedBytes(data) : 0);
  return {
    offset: offset + start,
    next_offset: next_offset - (data.length - end),
    data: data.subarray(start, end),
  };
}

/** False where nothing can follow the last byte: at the end, and before bytes that are gone. */
function isCutShort(range: OutputBytes): boolean {
  return !range.eof && !(range.omitted_bytes > 0 && range.next_offset === range.kept_bytes);
}
