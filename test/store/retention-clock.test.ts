import { expect, test } from 'vitest';
import { RetentionClock, type ClockMark } from '../../src/store/retention-clock.js';

const DAY = 86_400_000;
const WALL = 1_700_000_000_000;

function machine(bootId = 'boot', uptime = 5000, wall = WALL) {
  const at = { wall, uptime };
  const sources = { wallMs: () => at.wall, uptimeMs: () => at.uptime, bootId };
  return {
    at,
    clock: (mark?: ClockMark) => new RetentionClock(mark, sources),
    pass: (ms: number) => {
      at.wall += ms;
      at.uptime += ms;
    },
  };
}

test('it begins with the wall clock and goes on with time that passes', () => {
  const { clock, pass } = machine();
  const c = clock();
  expect(c.now()).toBe(WALL);
  pass(1500.5);
  expect(c.now()).toBe(WALL + 1500);
  pass(0.5);
  expect(c.now()).toBe(WALL + 1501);
});

test('setting the wall clock, either way, makes nothing older', () => {
  const { clock, at, pass } = machine();
  const c = clock();
  at.wall += DAY;
  expect(c.now()).toBe(WALL);
  pass(10);
  at.wall -= 2 * DAY;
  expect(c.now()).toBe(WALL + 10);
});

test('a restart in the same boot counts the time that passed meanwhile, whatever the wall clock says', () => {
  const { clock, at, pass } = machine();
  const mark = clock().mark();
  expect(mark).toEqual({ clock_ms: WALL, wall_ms: WALL, uptime_ms: 5000, boot_id: 'boot' });
  at.wall += DAY;
  pass(60_000);
  expect(clock(mark).now()).toBe(WALL + 60_000);
});

test('across a boot the wall clock is believed, but never backwards', () => {
  const mark = machine().clock().mark();
  expect(
    machine('other', 9000, WALL + 3 * DAY)
      .clock(mark)
      .now(),
  ).toBe(WALL + 3 * DAY);
  expect(
    machine('other', 9000, WALL - DAY)
      .clock(mark)
      .now(),
  ).toBe(WALL);
  // The same id with less uptime: a machine without boot ids.
  expect(
    machine('boot', 10, WALL + DAY)
      .clock(mark)
      .now(),
  ).toBe(WALL + DAY);
});

test('an uptime that goes back stops the clock and does not turn it', () => {
  const { clock, at } = machine();
  const c = clock();
  at.uptime = 10;
  expect(c.now()).toBe(WALL);
  at.uptime = 30;
  expect(c.now()).toBe(WALL + 20);
});
