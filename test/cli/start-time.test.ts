import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseAt, startAtOf } from '../../src/cli/start-time.js';

const zone = process.env['TZ'];
beforeEach(() => {
  process.env['TZ'] = 'Europe/Berlin';
});
afterEach(() => {
  if (zone === undefined) delete process.env['TZ'];
  else process.env['TZ'] = zone;
});

/** A Monday in winter, 11:00 in Berlin. */
const NOW = Date.parse('2027-03-01T10:00:00Z');
const at = (text: string) => {
  const ms = parseAt(text, NOW);
  return ms === 'now' ? ms : new Date(ms).toISOString();
};

test('a time is understood as people write it', () => {
  expect(at('now')).toBe('now');
  expect(at('11:30')).toBe('2027-03-01T10:30:00.000Z');
  // The next one there is.
  expect(at('10:59:59')).toBe('2027-03-02T09:59:59.000Z');
  expect(at('11:00')).toBe('2027-03-02T10:00:00.000Z');
  expect(at('today 18:00')).toBe('2027-03-01T17:00:00.000Z');
  expect(at('tomorrow')).toBe('2027-03-01T23:00:00.000Z');
  expect(at('tomorrow 8:05')).toBe('2027-03-02T07:05:00.000Z');
  expect(at('2027-07-01')).toBe('2027-06-30T22:00:00.000Z');
  expect(at('2027-07-01 18:00')).toBe('2027-07-01T16:00:00.000Z');
  expect(at('2027-07-01T18:00:05')).toBe('2027-07-01T16:00:05.000Z');
  expect(at('2027-07-01T18:00Z')).toBe('2027-07-01T18:00:00.000Z');
  expect(at('2027-07-01T18:00:00.250z')).toBe('2027-07-01T18:00:00.250Z');
  expect(at('2027-07-01 18:00:00-0500')).toBe('2027-07-01T23:00:00.000Z');
  expect(at('2027-07-01T18:00:00+05:30')).toBe('2027-07-01T12:30:00.000Z');
  expect(at('@1803924000')).toBe('2027-03-01T18:00:00.000Z');
});

test('a day in which the clocks change has its own length', () => {
  const before = Date.parse('2027-03-27T12:00:00Z');
  // There is no 2:30 in that night: it is the same moment as 3:30.
  expect(parseAt('tomorrow 2:30', before)).toBe(Date.parse('2027-03-28T01:30:00Z'));
  expect(parseAt('tomorrow 4:00', before)).toBe(Date.parse('2027-03-28T02:00:00Z'));
});

test.each([
  '',
  'soon',
  '24:00',
  '12:60',
  '1:2',
  '2027-02-30',
  '2027-13-01',
  '2027-07-01T25:00',
  '2027-07-01T25:00Z',
  '2027-02-30T10:00Z',
  '2027-07-01T10:00+99:00',
  '@',
  '@1e9',
  '-5m',
  'yesterday',
  '12027-01-01',
])('%j is not a time, and the error says what is', (text) => {
  expect(() => parseAt(text, NOW)).toThrow(`"${text}" is not a time: write 18:30`);
});

test('flags become the field of a request, or take it back', () => {
  expect(startAtOf({}, NOW)).toBeUndefined();
  expect(startAtOf({ at: 'now' }, NOW)).toBeNull();
  expect(startAtOf({ at: NOW }, NOW)).toBe('2027-03-01T10:00:00.000Z');
  expect(startAtOf({ in: 90_000 }, NOW)).toBe('2027-03-01T10:01:30.000Z');
  expect(startAtOf({ at: NOW - 59_000 }, NOW)).toBe('2027-03-01T09:59:01.000Z');
  expect(() => startAtOf({ at: NOW - 61_000 }, NOW)).toThrow(
    '--at: 2027-03-01T09:58:59.000Z has passed; write now to start as soon as there is room',
  );
  expect(() => startAtOf({ in: Number.MAX_SAFE_INTEGER }, NOW)).toThrow('--in: that is after the year 9999');
});
