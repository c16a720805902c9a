/** How many bytes a UTF-8 character has that begins with `lead`; 0 when none begins so. */
function lengthFrom(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 0;
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

/** True when `second` may follow `lead`: no overlong forms, no surrogates, nothing above U+10FFFF. */
function maySecond(lead: number, second: number): boolean {
  if (lead === 0xe0) return second >= 0xa0;
  if (lead === 0xed) return second <= 0x9f;
  if (lead === 0xf0) return second >= 0x90;
  if (lead === 0xf4) return second <= 0x8f;
  return true;
}

interface Unfinished {
  /** Bytes that are there. */
  have: number;
  /** Bytes that are missing. */
  missing: number;
}

function unfinishedEnd(bytes: Buffer): Unfinished | undefined {
  for (let have = 1; have <= Math.min(3, bytes.length); have++) {
    const lead = bytes[bytes.length - have] ?? 0;
    if (isContinuation(lead)) continue;
    const length = lengthFrom(lead);
    if (length <= have) return undefined;
    const second = bytes[bytes.length - have + 1];
    if (second !== undefined && !maySecond(lead, second)) return undefined;
    return { have, missing: length - have };
  }
  return undefined;
}

/** How many bytes at the end of `bytes` (0 to 3) begin a character whose other bytes are missing. */
export function unfinishedBytes(bytes: Buffer): number {
  return unfinishedEnd(bytes)?.have ?? 0;
}

/** How many bytes at the start of `after` (0 to 3) complete a character that begins in `before`. */
export function carriedBytes(before: Buffer, after: Buffer): number {
  const cut = unfinishedEnd(before);
  if (cut === undefined) return 0;
  const rest = after.subarray(0, cut.missing);
  if (rest.length < cut.missing || !rest.every(isContinuation)) return 0;
  const lead = before[before.length - cut.have] ?? 0;
  return cut.have > 1 || maySecond(lead, rest[0] ?? 0) ? cut.missing : 0;
}

/** How many bytes at the start of `bytes` (0 to 3) cannot begin a character: the rest of one whose beginning was not kept. */
export function strayBytes(bytes: Buffer): number {
  let count = 0;
  while (count < 3 && isContinuation(bytes[count])) count++;
  return count;
}
