import fc from 'fast-check';
import { expect, test } from 'vitest';
import { carriedBytes, strayBytes, unfinishedBytes } from '../../src/runtime/output/utf8.js';

const text = fc
  .string({ unit: fc.constantFrom('a', 'é', '€', '\ud7ff', '😀', '\u{10ffff}'), maxLength: 30 })
  .map((s) => Buffer.from(s));

test('the end of valid text is unfinished exactly when a character is cut', () => {
  fc.assert(
    fc.property(text, fc.nat(), (bytes, n) => {
      const cut = bytes.length === 0 ? 0 : n % (bytes.length + 1);
      const head = bytes.subarray(0, cut);
      const kept = head.subarray(0, head.length - unfinishedBytes(head));
      expect(Buffer.from(kept.toString('utf8'))).toEqual(Buffer.from(kept));
      expect(head.length - kept.length).toBeLessThan(4);
    }),
  );
});

test('what a cut leaves of a character stands at the start of the rest', () => {
  fc.assert(
    fc.property(text, fc.nat(), (bytes, n) => {
      const cut = bytes.length === 0 ? 0 : n % (bytes.length + 1);
      const rest = bytes.subarray(cut);
      const carried = carriedBytes(bytes.subarray(Math.max(0, cut - 3), cut), rest);
      expect(strayBytes(rest)).toBe(carried);
      expect(rest.subarray(carried).toString('utf8')).not.toContain('\ufffd');
    }),
  );
});

test.each([
  ['a continuation without a beginning', [0x41, 0x80], 0],
  ['an overlong form', [0xc0], 0],
  ['an overlong form of three bytes', [0xe0, 0x80], 0],
  ['a surrogate', [0xed, 0xa0], 0],
  ['beyond U+10FFFF', [0xf4, 0x90], 0],
  ['no lead byte at all', [0xff], 0],
  ['two of three bytes', [0x41, 0xe2, 0x82], 2],
  ['three of four bytes', [0xf0, 0x9f, 0x98], 3],
  ['a whole character', [0xe2, 0x82, 0xac], 0],
  ['four continuations', [0x80, 0x80, 0x80, 0x80], 0],
])('%s', (_what, bytes, unfinished) => {
  expect(unfinishedBytes(Buffer.from(bytes))).toBe(unfinished);
});

test('bytes that only look like the rest of a character are not carried', () => {
  expect(carriedBytes(Buffer.from([0xe2]), Buffer.from([0x82, 0x41]))).toBe(0);
  expect(carriedBytes(Buffer.from([0xe0]), Buffer.from([0x80, 0x80]))).toBe(0);
  expect(carriedBytes(Buffer.from([0x41]), Buffer.from([0x80]))).toBe(0);
  expect(carriedBytes(Buffer.from([0xe2]), Buffer.from([0x82, 0xac]))).toBe(2);
});
