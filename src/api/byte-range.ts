import { ExecgoError } from '../task/errors.js';

/** Bytes from `start` on, before `end`. */
export interface ByteRange {
  start: number;
  end: number;
}

/**
 * The range that a `Range` header asks for. One that asks for several, for another unit, or makes no sense is ignored, as HTTP says.
 * @returns undefined for the whole
 * @throws ExecgoError `range_not_satisfiable` when it begins behind the end
 */
export function rangeOf(header: string | undefined, size: number): ByteRange | undefined {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size : Math.min(size, Number(last) + 1);
  if (first !== '' && last !== '' && Number(last) < start) return undefined;
  if (start < size && end > start) return { start, end };
  throw new ExecgoError('range_not_satisfiable', `range not satisfiable: the file has ${size} bytes`, {
    size,
  });
}
