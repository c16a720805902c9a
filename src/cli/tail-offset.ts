import type { OutputRange } from '../client/index.js';

/** Bytes looked at first; four times as many each time that is too few. */
const FIRST_WINDOW = 65_536;
/** How far back lines are looked for, in bytes; also the longest range that the daemon answers. */
const MAX_WINDOW = 4_194_304;
const NEWLINE = 0x0a;

type ReadRange = (offset: number, limit: number) => Promise<OutputRange>;

/**
 * Where the last `lines` lines of a stream begin. A last line without newline counts as one; what lies before a gap, or
 * more than 4 MiB before the end, is not looked at.
 */
export async function findTail(read: ReadRange, lines: number): Promise<number> {
  const { total_bytes: total } = await read(0, 1);
  if (lines === 0) return total;
  for (let window = FIRST_WINDOW; ; window = Math.min(window * 4, MAX_WINDOW)) {
    const asked = Math.max(0, total - window);
    const { offset, data } = await readWhole(read, asked, total);
    const start = startOfLines(data, lines);
    if (start !== undefined) return offset + start;
    if (asked === 0 || offset > asked || window === MAX_WINDOW) return offset;
  }
}

/** The bytes from `from` up to `to`, or those after the last gap between them. */
async function readWhole(
  read: ReadRange,
  from: number,
  to: number,
): Promise<{ offset: number; data: Buffer }> {
  let offset = from;
  let parts: Buffer[] = [];
  for (let at = from; at < to;) {
    const range = await read(at, to - at);
    if (range.offset > at) {
      offset = range.offset;
      parts = [];
    }
    parts.push(range.data);
    if (range.next_offset <= at) break;
    at = range.next_offset;
  }
  return { offset, data: Buffer.concat(parts) };
}

/** Index of the first byte of the last `lines` lines; undefined when there are fewer newlines than that takes. */
function startOfLines(data: Buffer, lines: number): number | undefined {
  let at = data.length - (data.at(-1) === NEWLINE ? 1 : 0);
  for (let found = 0; found < lines; found++) {
    if (at <= 0) return undefined;
    at = data.lastIndexOf(NEWLINE, at - 1);
    if (at < 0) return undefined;
  }
  return at + 1;
}
