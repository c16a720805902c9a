/** How many of the last bytes of a stream are kept once it has passed its cap. */
export const TAIL_BYTES = 65_536;
/** 8 bytes of magic and the 64-bit little-endian count of all bytes produced. */
export const TAIL_HEADER_BYTES = 16;

const MAGIC = Buffer.from('EXGOTAIL', 'latin1');

/** @returns the header of a tail file. The ring comes after it: the byte at offset o of the stream is at o % 65536. */
export function encodeTailHeader(total: number): Buffer {
  const header = Buffer.alloc(TAIL_HEADER_BYTES);
  MAGIC.copy(header);
  header.writeBigUInt64LE(BigInt(total), MAGIC.length);
  return header;
}

/**
 * @param file a whole tail file.
 * @returns all bytes produced, and the last min(total, 65536) of them in order; undefined when it is not a tail file.
 */
export function decodeTail(file: Buffer): { total: number; bytes: Buffer } | undefined {
  if (file.length < TAIL_HEADER_BYTES || !file.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  const total = Number(file.readBigUInt64LE(MAGIC.length));
  const ring = file.subarray(TAIL_HEADER_BYTES, TAIL_HEADER_BYTES + TAIL_BYTES);
  if (!Number.isSafeInteger(total) || ring.length < Math.min(total, TAIL_BYTES)) return undefined;
  if (total <= TAIL_BYTES) return { total, bytes: Buffer.from(ring.subarray(0, total)) };
  const oldest = total % TAIL_BYTES;
  return { total, bytes: Buffer.concat([ring.subarray(oldest), ring.subarray(0, oldest)]) };
}
