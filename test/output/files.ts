import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OutputSource } from '../../src/runtime/output/source.js';
import { encodeTailHeader, TAIL_BYTES } from '../../src/supervisor/capture/tail-format.js';

/** Writes the two files of a stream as the supervisor does: the first `cap` bytes, and the last ones once it has passed. */
export function writeStream(dir: string, produced: Buffer, cap: number, final = true): OutputSource {
  const source = sourceIn(dir, cap, final);
  mkdirSync(join(dir, 'tasks/t'), { recursive: true });
  writeFileSync(logOf(source), produced.subarray(0, cap));
  rmSync(tailOf(source), { force: true });
  if (produced.length > cap) writeTail(tailOf(source), produced);
  return final ? { ...source, totalBytes: produced.length } : source;
}

/** The standard output of the one task in a data directory. */
export function sourceIn(dataDir: string, maxBytes: number, final: boolean): OutputSource {
  return { dataDir, taskId: 't', stream: 'stdout', attempt: 1, maxBytes, final };
}

export const logOf = ({ dataDir }: OutputSource): string => join(dataDir, 'tasks/t/stdout.log');
export const tailOf = ({ dataDir }: OutputSource): string => join(dataDir, 'tasks/t/stdout.tail');

/** Writes the ring file of a stream that produced these bytes. */
export function writeTail(path: string, produced: Buffer): void {
  const ring = Buffer.alloc(TAIL_BYTES);
  for (let offset = Math.max(0, produced.length - TAIL_BYTES); offset < produced.length; offset++)
    ring[offset % TAIL_BYTES] = produced[offset]!;
  writeFileSync(path, Buffer.concat([encodeTailHeader(produced.length), ring]));
}

/** Bytes that differ from their neighbours, so that a wrong offset shows. */
export function pattern(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * 7) & 0x7f));
}
