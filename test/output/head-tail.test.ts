import { rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readHeadTail as read } from '../../src/runtime/output/head-tail.js';
import { tempDir } from '../harness/temp-dir.js';
import { writeStream } from './files.js';

/** With its texts as text. */
async function readHeadTail(...args: Parameters<typeof read>) {
  const { head, tail, ...counts } = await read(...args);
  return { head: head.toString(), tail: tail.toString(), ...counts };
}

function lines(bytes: Buffer): number {
  const newlines = bytes.filter((b) => b === 0x0a).length;
  return newlines + (bytes.length > 0 && bytes.at(-1) !== 0x0a ? 1 : 0);
}

const chunk = fc.oneof(
  fc.constantFrom('\n', 'a', 'line\n', '€', '😀', 'é\n', '\n\n').map((s) => Buffer.from(s)),
  fc.uint8Array({ minLength: 1, maxLength: 3 }).map((b) => Buffer.from(b)),
);
const anyBytes = fc.array(chunk, { maxLength: 60 }).map((parts) => Buffer.concat(parts));
const anyText = fc
  .string({ unit: fc.constantFrom('\n', 'a', '€', '😀', 'é'), maxLength: 80 })
  .map((s) => Buffer.from(s));

describe('against a model', () => {
  test('counts add up, texts are the start and the end of the stream, and bounds hold', async () => {
    const dir = tempDir();
    await fc.assert(
      fc.asyncProperty(
        anyBytes,
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 200 }),
        async (produced, maxBytes, maxLines, cap) => {
          rmSync(join(dir, 'stdout.tail'), { force: true });
          const view = await readHeadTail(writeStream(dir, produced, cap), maxBytes, maxLines);
          const { head_bytes: head, tail_bytes: tail, omitted_bytes: omitted } = view;
          expect(head + tail + omitted).toBe(produced.length);
          expect(view.total_bytes).toBe(produced.length);
          expect(head + tail).toBeLessThanOrEqual(maxBytes);
          expect(view.head).toBe(produced.subarray(0, head).toString('utf8'));
          expect(view.tail).toBe(produced.subarray(produced.length - tail).toString('utf8'));
          // These streams are short: the ring file holds all that the log file does not.
          expect(view.omitted_lines).toBe(lines(produced.subarray(head, produced.length - tail)));
          expect(view.total_lines).toBe(lines(produced));
          expect(
            lines(produced.subarray(0, head)) + lines(produced.subarray(produced.length - tail)),
          ).toBeLessThanOrEqual(maxLines);
          if (produced.length <= maxBytes && lines(produced) <= maxLines)
            expect(view).toMatchObject({
              head_bytes: produced.length,
              tail: '',
              omitted_bytes: 0,
              omitted_lines: 0,
            });
        },
      ),
      { numRuns: 300 },
    );
  });

  test('no character of valid text is cut', async () => {
    const dir = tempDir();
    await fc.assert(
      fc.asyncProperty(
        anyText,
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 100 }),
        async (produced, max, cap) => {
          rmSync(join(dir, 'stdout.tail'), { force: true });
          const view = await readHeadTail(writeStream(dir, produced, cap), max, 1_000);
          expect(view.head + view.tail).not.toContain('\ufffd');
          // Less than a character is given away on each side of the cut.
          if (view.omitted_bytes > 0) {
            expect(Math.ceil(max / 2) - view.head_bytes).toBeLessThan(4);
            expect(Math.floor(max / 2) - view.tail_bytes).toBeLessThan(4);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});

test('lines that are gone are not counted', async () => {
  const produced = Buffer.from('0123456\n'.repeat(20_000));
  const view = await readHeadTail(writeStream(tempDir(), produced, 8_000), 1_000, 20);
  expect(view.head).toBe('0123456\n'.repeat(10));
  expect(view.tail).toBe('0123456\n'.repeat(10));
  expect(view.omitted_bytes).toBe(160_000 - 160);
  expect(view.omitted_lines).toBeUndefined();
  expect(view.total_lines).toBeUndefined();
});

test('a tail that begins in the gap leaves out the rest of a character', async () => {
  const produced = Buffer.from('€'.repeat(60_000));
  const view = await readHeadTail(writeStream(tempDir(), produced, 100), 200_000, 10);
  expect(view.head).toBe('€'.repeat(33));
  expect(view.tail).toBe('€'.repeat(21_845));
  expect(view.omitted_bytes).toBe(180_000 - 99 - 65_535);
});

test('many lines between head and tail are counted', async () => {
  const produced = Buffer.from('x\n'.repeat(400_000));
  const view = await readHeadTail(writeStream(tempDir(), produced, 4_194_304), 40, 20);
  expect(view).toMatchObject({ omitted_lines: 400_000 - 20, total_lines: 400_000 });
});

test('a stream that goes on says so', async () => {
  const source = writeStream(tempDir(), Buffer.from('so far'), 100, false);
  expect(await readHeadTail(source, 100, 10)).toMatchObject({ head: 'so far', eof: false, total_lines: 1 });
});
