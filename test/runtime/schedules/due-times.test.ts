import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { comingTimes, dueTimesOf } from '../../../src/runtime/schedules/due-times.js';

const at = (text: string) => Date.parse(text);
const coming = (cron: string, timezone: string | undefined, after: string, count = 4) =>
  comingTimes(dueTimesOf({ cron, timezone }, 0), at(after), count).map((ms) => new Date(ms).toISOString());

describe('a change of the clocks', () => {
  test('moves a time of day that it leaves out to the end of the gap, on that day only', () => {
    // In Berlin 2027-03-28 goes from 2:00 to 3:00.
    expect(coming('30 2 * * *', 'Europe/Berlin', '2027-03-27T00:00:00Z')).toEqual([
      '2027-03-27T01:30:00.000Z',
      '2027-03-28T01:00:00.000Z',
      '2027-03-29T00:30:00.000Z',
      '2027-03-30T00:30:00.000Z',
    ]);
  });

  test('does not give a time of day twice', () => {
    // In Berlin 2027-10-31 has 2:30 twice.
    expect(coming('30 2 * * *', 'Europe/Berlin', '2027-10-30T00:00:00Z')).toEqual([
      '2027-10-30T00:30:00.000Z',
      '2027-10-31T00:30:00.000Z',
      '2027-11-01T01:30:00.000Z',
      '2027-11-02T01:30:00.000Z',
    ]);
    expect(coming('15 1,13 * * *', 'America/New_York', '2027-11-07T00:00:00Z', 3)).toEqual([
      '2027-11-07T05:15:00.000Z',
      '2027-11-07T18:15:00.000Z',
      '2027-11-08T06:15:00.000Z',
    ]);
  });

  test.each([
    ['2027-03-28T00:00:00Z', 'in spring'],
    ['2027-10-31T00:00:00Z', 'in autumn'],
  ])('lets what comes every half hour come every half hour: %s', (after) => {
    const times = comingTimes(
      dueTimesOf({ cron: '*/30 * * * *', timezone: 'Europe/Berlin' }, 0),
      at(after),
      12,
    );
    expect(times.map((ms, i) => ms - (times[i - 1] ?? at(after)))).toEqual(Array(12).fill(1_800_000));
  });

  test('concerns no interval', () => {
    const anchor = at('2027-03-28T00:30:00Z');
    const times = comingTimes(dueTimesOf({ interval_ms: 3_600_000 }, anchor), anchor, 3);
    expect(times).toEqual([1, 2, 3].map((n) => anchor + n * 3_600_000));
  });
});

test('without a zone times are those of UTC, and seconds may stand in front', () => {
  expect(coming('0 3 * * *', undefined, '2027-07-01T00:00:00Z', 1)).toEqual(['2027-07-01T03:00:00.000Z']);
  expect(coming('15 0 3 * * MON', 'UTC', '2027-07-01T00:00:00Z', 1)).toEqual(['2027-07-05T03:00:15.000Z']);
  expect(coming('@daily', 'Asia/Kolkata', '2027-07-01T00:00:00Z', 1)).toEqual(['2027-07-01T18:30:00.000Z']);
  expect(coming('0 0 30 2 *', 'UTC', '2027-07-01T00:00:00Z')).toEqual([]);
});

test.each([
  ['', 'cron: must have five fields'],
  ['* * * *', 'cron: must have five fields'],
  ['* * * * * * *', 'cron: must have five fields'],
  ['2027-12-01T00:00:00', 'cron: must have five fields'],
  ['? * * * *', 'cron: must have five fields'],
  ['61 * * * *', 'cron: Invalid value for minute: 61'],
  ['0 24 * * *', 'cron: Invalid value for hour: 24'],
  ['0 0 * * FOO', 'cron: '],
  ['@reboot', 'cron: @reboot is not supported'],
  ['@sometimes', 'cron: '],
])('%j is not an expression, and the refusal says why', (cron, words) => {
  expect(() => dueTimesOf({ cron }, 0)).toThrow(`invalid input: ${words}`);
});

test.each(['Nowhere/X', '', 'Berlin'])('%j is not a zone', (timezone) => {
  expect(() => dueTimesOf({ cron: '0 3 * * *', timezone }, 0)).toThrow('invalid input: timezone: ');
});

test('the last due times are the same as those that came one after another', () => {
  const anchor = at('2027-03-27T00:00:00Z');
  const kinds = [
    ...['30 2 * * *', '*/20 * * * *', '30 1-3 * * *', '0 0 1 * *', '15 2,14 * * SUN', '*/10 * * * * *'].map(
      (cron) => ({
        cron,
        timezone: 'Europe/Berlin',
      }),
    ),
    { interval_ms: 7_777_777 },
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...kinds),
      fc.nat({ max: 2 * 86_400_000 }),
      fc.nat({ max: 3_600_000 }),
      fc.integer({ min: 1, max: 20 }),
      (kind, offset, length, count) => {
        const times = dueTimesOf(kind, anchor);
        const [from, to] = [anchor + offset, anchor + offset + length];
        const all: number[] = [];
        for (let ms = times.next(from - 1); ms !== undefined && ms <= to; ms = times.next(ms)) all.push(ms);
        const last = times.last(from, to, count);
        // Where there are many, fewer may be known; those are the last ones.
        expect(all.slice(all.length - last.length)).toEqual(last);
        expect(last.length).toBeGreaterThanOrEqual(Math.min(all.length, count, 'cron' in kind ? 15 : count));
      },
    ),
    { numRuns: 60 },
  );
});
