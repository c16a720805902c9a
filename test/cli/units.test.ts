import fc from 'fast-check';
import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import { exitCodeOf } from '../../src/cli/exit-codes.js';
import { parseSignal, signalName } from '../../src/cli/signal-name.js';
import { table } from '../../src/cli/table.js';
import { findTail } from '../../src/cli/tail-offset.js';
import { plain, visibleJson } from '../../src/cli/terminal.js';
import {
  collectPair,
  formatDuration,
  formatSize,
  parseCount,
  parseDuration,
  parseInteger,
  parseSeconds,
  parseSize,
} from '../../src/cli/units.js';
import { UsageError } from '../../src/cli/usage-error.js';

describe('durations', () => {
  it.each([
    ['250ms', 250],
    ['10s', 10_000],
    ['1.5m', 90_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['0s', 0],
  ])('%s is %i ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(['', '10', 's', '-1s', '1 s', '1e3s', '10sec', '99999999999999d', 'NaNs', '1s\n2s'])(
    'refuses %j',
    (text) => {
      expect(() => parseDuration(text)).toThrow(UsageError);
    },
  );

  it('rounds up to seconds', () => {
    expect(parseSeconds('1500ms')).toBe(2);
  });

  it('reads back every whole number of every unit', () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.constantFrom('ms', 's', 'm', 'h', 'd'), (n, unit) => {
        const factor = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit];
        expect(parseDuration(`${String(n)}${unit}`)).toBe(n * factor);
      }),
    );
  });

  it.each([
    [0, '0ms'],
    [999, '999ms'],
    [59_999, '59.9s'],
    [61_000, '1m1s'],
    [3_660_000, '1h1m'],
    [90_000_000, '1d1h'],
  ])('%i ms are shown as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});

describe('sizes', () => {
  it.each([
    ['4096', 4096],
    ['64K', 65_536],
    ['64k', 65_536],
    ['64M', 67_108_864],
    ['64MB', 67_108_864],
    ['1.5GiB', 1_610_612_736],
    ['1T', 1_099_511_627_776],
    ['7B', 7],
  ])('%s is %i bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each(['', 'M', '-1', '1X', '1 M', '0x10', '99999999T'])('refuses %j', (text) => {
    expect(() => parseSize(text)).toThrow(UsageError);
  });

  it.each([
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [1024 ** 4, '1.0 TiB'],
  ])('%i bytes are shown as %s', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });
});

describe('numbers', () => {
  it('are whole and safe', () => {
    expect(parseInteger('-7')).toBe(-7);
    for (const text of ['', '1.5', '1e3', '9007199254740993', 'x', ' 1'])
      expect(() => parseInteger(text)).toThrow(UsageError);
    expect(() => parseCount('-1')).toThrow(UsageError);
  });
});

describe('KEY=VALUE', () => {
  it('splits at the first "=", for any key and value', () => {
    const key = fc.string({ minLength: 1 }).filter((k) => !k.includes('='));
    fc.assert(
      fc.property(key, fc.string(), (k, v) => {
        const pairs = collectPair(`${k}=${v}`);
        expect(Object.entries(pairs)).toEqual([[k, v]]);
      }),
    );
  });

  it('collects, and the last of a key wins', () => {
    expect(collectPair('a=3', collectPair('b=2', collectPair('a=1')))).toEqual({ a: '3', b: '2' });
  });

  it.each(['', 'a', '=b'])('refuses %j', (text) => {
    expect(() => collectPair(text)).toThrow(UsageError);
  });
});

describe('signals', () => {
  it.each([
    ['TERM', 15],
    ['sigint', 2],
    ['9', 9],
    ['64', 64],
  ])('%s is %i', (text, number) => {
    expect(parseSignal(text)).toBe(number);
  });

  it.each(['', '0', '65', 'NOPE', 'toString'])('refuses %j', (text) => {
    expect(() => parseSignal(text)).toThrow(UsageError);
  });

  it('have names for people', () => {
    expect([signalName(15), signalName(40)]).toEqual(['SIGTERM', 'signal 40']);
  });
});

it('an exit code is never 0 for a task that did not succeed', () => {
  expect(exitCodeOf({ status: 'success', exit_code: 0 })).toBe(0);
  expect(exitCodeOf({ status: 'failed', exit_code: 3 })).toBe(3);
  expect(exitCodeOf({ status: 'failed', exit_signal: 9 })).toBe(137);
  expect(exitCodeOf({ status: 'failed' })).toBe(125);
  expect(exitCodeOf({ status: 'cancelled', exit_code: 0 })).toBe(125);
});

/** Controls of both ranges, marks of direction, joiners and other marks without width, separators, tags. */
const UNSEEN = [
  ...Array.from({ length: 32 }, (_, i) => i),
  ...Array.from({ length: 33 }, (_, i) => 0x7f + i),
  ...[0xad, 0x61c, 0x180e, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b, 0x202c],
  ...[
    0x202d, 0x202e, 0x2060, 0x2066, 0x2067, 0x2068, 0x2069, 0xfeff, 0xfff9, 0xfffa, 0xfffb, 0xe0001, 0xe0041,
  ],
].map((code) => String.fromCodePoint(code));

it('control characters of a task never reach the terminal', () => {
  expect(plain('a\u001b[31mb\r\nc\u009bd')).toBe('a [31mb c d');
  for (const unseen of UNSEEN.filter((c) => c !== '\u00a0'))
    expect([unseen, plain(`a${unseen}${unseen}b`)]).toEqual([unseen, 'a b']);
  expect(plain('käse 日本 🙂\u00a0')).toBe('käse 日本 🙂\u00a0');
});

it('JSON shows all that is in it, and stays the same JSON', () => {
  const value = { text: UNSEEN.join('x'), ['key\u202e']: ['käse 日本 🙂'] };
  for (const indent of [undefined, 2]) {
    const shown = visibleJson(JSON.stringify(value, undefined, indent));
    expect(JSON.parse(shown)).toEqual(value);
    expect(shown.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    expect(shown).toContain('\\u202e');
    expect(shown).toContain('käse 日本 🙂');
  }
});

it('a table cuts only its last column', () => {
  const rows = [[{ text: 'long-id' }, { text: 'x'.repeat(40) }]];
  expect(table(['ID', 'COMMAND'], rows, 20)).toEqual(['ID       COMMAND', `long-id  ${'x'.repeat(10)}…`]);
});

it('a table is straight, and cut between characters, where these are wide or combined', () => {
  const rows = ['日本', 'e\u0301\u0301', 'ascii'].map((text) => [{ text }, { text: '🙂'.repeat(20) }]);
  expect(table(['ID', 'COMMAND'], rows, 20)).toEqual([
    'ID     COMMAND',
    `日本   ${'🙂'.repeat(6)}…`,
    `e\u0301\u0301      ${'🙂'.repeat(6)}…`,
    `ascii  ${'🙂'.repeat(6)}…`,
  ]);
});

describe('a table with little room', () => {
  const header = ['TASK', 'END', 'AGE', 'COMMAND'];
  const row = (id: string) =>
    ['exit 0', '12s', 'make test-of-everything'].reduce(
      (cells, text) => [...cells, { text }],
      [{ text: id }],
    );
  const shown = (width: number, id = 'build') => table(header, [row(id)], width, [2, 1]);

  it('leaves out what yields, in its order, for the last column', () => {
    expect(shown(60)[1]).toBe('build  exit 0  12s  make test-of-everything');
    expect(shown(34)[1]).toBe('build  exit 0  12s  make test-of-…');
    expect(shown(33)).toEqual(['TASK   END     COMMAND', 'build  exit 0  make test-of-ever…']);
    expect(shown(28)).toEqual(['TASK   COMMAND', 'build  make test-of-everyth…']);
  });

  it('cuts a long first column when nothing else yields', () => {
    expect(shown(40, 'x'.repeat(36))[1]).toBe(`${'x'.repeat(23)}…  make test-of-…`);
  });

  it('never makes a line longer than it may be', () => {
    const texts = fc.array(fc.string({ maxLength: 50 }), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(texts, { maxLength: 3 }), fc.integer({ min: 20, max: 120 }), (rows, width) => {
        const cells = rows.map((row) => row.map((text) => ({ text })));
        for (const line of table(header, cells, width, [2, 1]))
          expect(stringWidth(line)).toBeLessThanOrEqual(width);
      }),
    );
  });
});

describe('findTail', () => {
  const reader =
    (head: Buffer, gapTo = head.length, tail = Buffer.alloc(0)) =>
    (offset: number, limit: number) => {
      const inHead = offset < head.length;
      const from = inHead ? offset : Math.max(offset, gapTo);
      const data = inHead
        ? head.subarray(offset, offset + limit)
        : tail.subarray(from - gapTo, from - gapTo + limit);
      const total = gapTo + tail.length;
      return Promise.resolve({
        stream: 'stdout' as const,
        attempt: 1,
        offset: from,
        data,
        next_offset: from + data.length,
        total_bytes: total,
        kept_bytes: head.length,
        omitted_bytes: gapTo - head.length,
        eof: from + data.length >= total,
      });
    };

  it('agrees with splitting the whole text', async () => {
    const text = fc.array(
      fc.string({ maxLength: 3 }).map((s) => s.replaceAll('\n', '')),
      { maxLength: 8 },
    );
    await fc.assert(
      fc.asyncProperty(text, fc.boolean(), fc.nat(10), async (lines, ended, n) => {
        const whole = Buffer.from(lines.join('\n') + (ended && lines.length > 0 ? '\n' : ''));
        const pieces = whole
          .toString()
          .split(/(?<=\n)/)
          .filter((piece) => piece !== '');
        const wanted = n === 0 ? '' : pieces.slice(-n).join('');
        expect(whole.subarray(await findTail(reader(whole), n)).toString()).toBe(wanted);
      }),
    );
  });

  it('looks further back where lines are long', async () => {
    const line = Buffer.from(`${'x'.repeat(99_999)}\n`);
    const whole = Buffer.concat([line, line, line, line]);
    expect(await findTail(reader(whole), 2)).toBe(200_000);
  });

  it('stops at a gap', async () => {
    const read = reader(Buffer.from('a\nb\nc\n'), 1000, Buffer.from('half\nlast\n'));
    expect(await findTail(read, 1)).toBe(1005);
    expect(await findTail(read, 5)).toBe(1000);
  });
});
