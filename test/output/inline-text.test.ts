import { execFileSync } from 'node:child_process';
import { appendFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { INLINE_MAX_BYTES, InlineTexts } from '../../src/runtime/output/inline-text.js';
import { tempDir } from '../harness/temp-dir.js';
import { logOf, sourceIn, writeStream } from './files.js';

function inlineTexts(cacheBytes?: number): InlineTexts {
  const texts = new InlineTexts(cacheBytes);
  onTestFinished(() => texts.close());
  return texts;
}

function parse(json: Buffer | undefined): string {
  return JSON.parse(json?.toString('utf8') ?? 'null') as string;
}

test('any bytes become a JSON string of their lossy text', async () => {
  const dir = tempDir();
  const texts = inlineTexts();
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      const produced = Buffer.from(bytes);
      const { text, truncated, total_bytes } = await texts.read(writeStream(dir, produced, 1_000));
      expect(parse(text)).toBe(produced.toString('utf8'));
      expect({ truncated, total_bytes }).toEqual({ truncated: false, total_bytes: produced.length });
    }),
    { numRuns: 100 },
  );
});

test('a long text comes from the worker, the same', async () => {
  const produced = Buffer.from(`"quoted" \u0001 € 😀\n`.repeat(20_000));
  const { text } = await inlineTexts().read(writeStream(tempDir(), produced, 4_194_304));
  expect(parse(text)).toBe(produced.toString('utf8'));
});

test('texts are encoded also while and after the worker dies', async () => {
  const texts = inlineTexts(1);
  const produced = Buffer.from('long '.repeat(50_000));
  const source = writeStream(tempDir(), produced, 4_194_304);
  const first = texts.read(source);
  await texts.close();
  expect(parse((await first).text)).toBe(produced.toString('utf8'));
  expect(parse((await texts.read(source)).text)).toBe(produced.toString('utf8'));
});

test('a stream past its cap shows its first bytes and its last', async () => {
  const produced = Buffer.from(`${'€'.repeat(1_000)}${'-'.repeat(100_000)}the error at the end`);
  const { text, tail, total_bytes, truncated } = await inlineTexts().read(
    writeStream(tempDir(), produced, 1_000),
  );
  expect(parse(text)).toBe('€'.repeat(333));
  expect(parse(tail)).toBe(produced.subarray(-65_536).toString('utf8'));
  expect({ total_bytes, truncated }).toEqual({ total_bytes: produced.length, truncated: true });
});

test('a status holds at most 4 MiB of a stream with a larger cap', async () => {
  const produced = Buffer.alloc(INLINE_MAX_BYTES + 10, 'x');
  const { text, tail, truncated } = await inlineTexts().read(
    writeStream(tempDir(), produced, 2 * INLINE_MAX_BYTES),
  );
  expect(parse(text)).toHaveLength(INLINE_MAX_BYTES);
  expect(parse(tail)).toBe('x'.repeat(10));
  expect(truncated).toBe(true);
});

test('what is kept beyond what is shown gives the last bytes too, and nothing is omitted', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(200_000),
      fc.integer({ min: 1, max: 200_000 }),
      fc.integer({ min: 1, max: 200_000 }),
      fc.boolean(),
      async (length, shown, kept, final) => {
        const produced = Buffer.from('€'.repeat(length / 3) + 'xx'.slice(0, length % 3));
        const source = { ...writeStream(tempDir(), produced, kept, final), maxBytes: shown };
        const { text, tail, omitted_bytes, truncated } = await inlineTexts().read(source);
        const head = Math.min(shown, kept, produced.length);
        expect(truncated).toBe(head < produced.length);
        expect(omitted_bytes).toBe(Math.max(0, produced.length - 65_536 - Math.min(kept, produced.length)));
        const last = parse(tail ?? Buffer.from('""'));
        expect(last).not.toContain('\ufffd');
        expect(produced.toString().startsWith(parse(text))).toBe(true);
        expect(produced.toString().endsWith(last)).toBe(true);
        const seen = Buffer.byteLength(parse(text)) + Buffer.byteLength(last);
        if (produced.length - head <= 65_536) expect(seen).toBe(produced.length);
        else expect(Buffer.byteLength(last)).toBeGreaterThan(65_536 - 3);
      },
    ),
    { numRuns: 60 },
  );
});

test('a character that is not written out yet is left out until it is, or until the end', async () => {
  const texts = inlineTexts();
  const source = writeStream(tempDir(), Buffer.from([0x41, 0xe2, 0x82]), 100, false);
  expect(parse((await texts.read(source)).text)).toBe('A');
  expect(parse((await texts.read({ ...source, final: true, totalBytes: 3 })).text)).toBe('A\ufffd');
  appendFileSync(logOf(source), Buffer.from([0xac]));
  expect(parse((await texts.read(source)).text)).toBe('A€');
});

test('what was encoded is kept until the file changes', async () => {
  const texts = inlineTexts();
  const dir = tempDir();
  const source = writeStream(dir, Buffer.from('first'), 100, false);
  const { text } = await texts.read(source);
  expect((await texts.read(source)).text).toBe(text);
  appendFileSync(logOf(source), ', second');
  expect(parse((await texts.read(source)).text)).toBe('first, second');
  // Another file of the same length and time in its place, as when a task id is used again.
  writeFileSync(join(dir, 'other'), 'other, second');
  renameSync(join(dir, 'other'), logOf(source));
  expect(parse((await texts.read(source)).text)).toBe('other, second');
});

test('the cache holds no more than it may', async () => {
  const texts = inlineTexts(2_000);
  const a = writeStream(tempDir(), Buffer.alloc(1_000, 'a'), 4_000);
  const b = writeStream(tempDir(), Buffer.alloc(1_000, 'b'), 4_000);
  const { text: first } = await texts.read(a);
  expect((await texts.read(a)).text).toBe(first);
  await texts.read(b);
  expect((await texts.read(a)).text).not.toBe(first);
});

test('those who ask at the same time share one encoding', async () => {
  const texts = inlineTexts();
  const source = writeStream(tempDir(), Buffer.alloc(200_000, 'x'), 4_000_000);
  const [one, two] = await Promise.all([texts.read(source), texts.read(source)]);
  expect(one.text).toBe(two.text);
});

test('nothing written, and no file at all, are empty texts', async () => {
  const source = sourceIn(tempDir(), 5, true);
  expect(parse((await inlineTexts().read(source)).text)).toBe('');
  expect(parse((await inlineTexts().read({ ...source, totalBytes: 0 })).text)).toBe('');
});

test('a file that cannot be read is an empty text that says why, and is tried again', async () => {
  const texts = inlineTexts();
  const source = writeStream(tempDir(), Buffer.from('x'), 100);
  const log = logOf(source);
  renameSync(log, `${log}.away`);
  expect(await texts.read(source)).toMatchObject({ total_bytes: 1, problem: 'stdout.log of task t is gone' });
  execFileSync('mkfifo', [log]);
  const read = await texts.read(source);
  expect([parse(read.text), read.total_bytes, read.omitted_bytes]).toEqual(['', 1, 1]);
  expect(read.problem).toBe(`${log} is a FIFO, not a file`);
  renameSync(`${log}.away`, log);
  expect(parse((await texts.read(source)).text)).toBe('x');
});

test('what a task has added to its own log is not output', async () => {
  const source = writeStream(tempDir(), Buffer.from('abc'), 100);
  truncateSync(logOf(source), 2 ** 40);
  expect(await inlineTexts().read(source)).toMatchObject({
    text: Buffer.from('"abc"'),
    total_bytes: 3,
    truncated: false,
  });
});
