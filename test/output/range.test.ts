import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readRange } from '../../src/runtime/output/range.js';
import { tempDir } from '../harness/temp-dir.js';
import { logOf, pattern, sourceIn, tailOf, writeStream, writeTail } from './files.js';

const TAIL = 65_536;

test('any range of any stream is what a model says', async () => {
  const dir = tempDir();
  const size = fc.oneof(fc.nat(200), fc.integer({ min: TAIL - 50, max: TAIL + 50 }), fc.nat(3 * TAIL));
  await fc.assert(
    fc.asyncProperty(
      size,
      size,
      fc.nat(3 * TAIL),
      fc.nat(2 * TAIL),
      fc.boolean(),
      async (total, cap, at, limit, final) => {
        rmSync(join(dir, 'stdout.tail'), { force: true });
        const produced = pattern(total);
        const source = writeStream(dir, produced, cap + 1, final);
        const kept = Math.min(total, cap + 1);
        const tailFrom = Math.max(kept, total - TAIL);
        const from = at >= kept && at < tailFrom ? tailFrom : at;
        const end = from < kept && kept < tailFrom ? kept : total;

        const range = await readRange(source, at, limit);
        expect(range.offset).toBe(from);
        expect(range.data.equals(produced.subarray(from, Math.max(from, Math.min(end, from + limit))))).toBe(
          true,
        );
        expect(range.next_offset).toBe(from + range.data.length);
        expect(range).toMatchObject({ total_bytes: total, kept_bytes: kept, omitted_bytes: tailFrom - kept });
        expect(range.eof).toBe(final && range.next_offset >= total);
      },
    ),
    { numRuns: 150 },
  );
});

test('reading on from next_offset gives all that is there, and the gap once', async () => {
  const produced = pattern(300_000);
  const source = writeStream(tempDir(), produced, 100_000);
  const pieces: Buffer[] = [];
  const jumps: [number, number][] = [];
  let offset = 0;
  for (let eof = false; !eof;) {
    const range = await readRange(source, offset, 30_000);
    if (range.offset !== offset) jumps.push([offset, range.offset]);
    pieces.push(range.data);
    offset = range.next_offset;
    eof = range.eof;
  }
  expect(jumps).toEqual([[100_000, 300_000 - TAIL]]);
  const expected = Buffer.concat([produced.subarray(0, 100_000), produced.subarray(-TAIL)]);
  expect(Buffer.concat(pieces).equals(expected)).toBe(true);
});

test('a stream without files is empty', async () => {
  const source = sourceIn(tempDir(), 10, false);
  expect(await readRange(source, 0, 10)).toMatchObject({
    data: Buffer.alloc(0),
    next_offset: 0,
    total_bytes: 0,
    eof: false,
  });
  expect(await readRange({ ...source, final: true }, 0, 10)).toMatchObject({ eof: true });
});

test('a log file that is longer than its cap is read whole', async () => {
  const source = writeStream(tempDir(), pattern(500), 1_000);
  const range = await readRange({ ...source, maxBytes: 100, totalBytes: undefined }, 0, 1_000);
  expect(range).toMatchObject({ total_bytes: 500, kept_bytes: 500, omitted_bytes: 0, eof: true });
  expect(range.data).toHaveLength(500);
});

test('a tail that was lost or tampered with leaves a gap up to the end', async () => {
  const dir = tempDir();
  const source = writeStream(dir, pattern(200_000), 1_000);
  for (const damage of [
    () => writeFileSync(tailOf(source), 'not a ring'),
    () => writeTail(tailOf(source), pattern(300_000)),
    () => rmSync(tailOf(source)),
    () => mkdirSync(tailOf(source)),
  ]) {
    damage();
    expect(await readRange(source, 0, 5_000)).toMatchObject({
      next_offset: 1_000,
      omitted_bytes: 199_000,
      eof: false,
    });
    expect(await readRange(source, 1_000, 5_000)).toMatchObject({
      offset: 200_000,
      next_offset: 200_000,
      eof: true,
    });
  }
});

test('links and pipes in the place of a log are not read', async () => {
  const dir = tempDir();
  writeFileSync(join(dir, 'secret'), 'secret');
  const source = writeStream(dir, Buffer.from('abc'), 100);
  const log = logOf(source);
  for (const [put, kind] of [
    [() => symlinkSync(join(dir, 'secret'), log), 'a link'],
    [() => execFileSync('mkfifo', [log]), 'a FIFO'],
  ] as const) {
    rmSync(log);
    put();
    const range = await readRange(source, 0, 100);
    expect(range.data).toHaveLength(0);
    expect(range).toMatchObject({ eof: true, warnings: [`${log} is ${kind}, not a file`] });
  }
});
