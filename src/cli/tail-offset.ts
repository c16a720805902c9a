import type { OutputRange } from '../client/index.js';

/** Bytes to read first; four times as many after each read that was too short. */
const FIRST_WINDOW = 65_536;
/** How far back to look for lines, in bytes; also the longest range that the daemon answers. */
const MAX_WINDOW = 4_194_304;
const NEWLINE = 0x0a;

type ReadRange = (offset: number, limit: number) => Promise<OutputRange>;

/**
 * The offset at which the last `lines` lines of a stream begin. A last line without newline counts as one. Lines before a
 * gap in the kept output, or more than 4 MiB before the end, are not counted.
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

/** The bytes from `from` up to `to`; if some were not kept, only those after the last gap. */
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

/** Index of the first byte of the last `lines` lines; undefined when there are not enough newlines. */
function startOfLines(data: Buffer, lines: number): number | undefined {
  let at = data.length - (data.at(-1) === NEWLINE ? 1 : 0);
  for (let found = 0; found < lines; found++) {
    if (at <= 0) return undefined;
    at = data.lastIndexOf(NEWLINE, at - 1);
    if (at < 0) return undefined;
  }
  return at + 1;
}
