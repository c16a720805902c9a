import type { HeadTailBytes, OutputBytes, OutputStream } from '../../src/task/output.js';

/** What {@link Service.outputRange} answers for these bytes, of which those in `gap` are gone. */
export function rangeOf(
  stream: OutputStream,
  bytes: Buffer,
  gap: [from: number, to: number] | undefined,
  final: boolean,
  asked: number,
  limit: number,
): OutputBytes {
  const [from, to] = gap ?? [bytes.length, bytes.length];
  const offset = asked >= from && asked < to ? to : asked;
  const data = bytes.subarray(offset, Math.min(offset + limit, offset < from ? from : bytes.length));
  const next_offset = offset + data.length;
  return {
    stream,
    attempt: 1,
    offset,
    data,
    next_offset,
    total_bytes: bytes.length,
    kept_bytes: from,
    omitted_bytes: to - from,
    eof: final && next_offset >= bytes.length,
  };
}

/** A view that shows all there is. */
export function readHeadTailOf(stream: OutputStream, bytes: Buffer): HeadTailBytes {
  const sizes = { head_bytes: bytes.length, tail_bytes: 0, total_bytes: bytes.length, omitted_bytes: 0 };
  return {
    stream,
    attempt: 1,
    head: bytes,
    tail: Buffer.alloc(0),
    ...sizes,
    omitted_lines: 0,
    total_lines: 1,
    eof: true,
  };
}
