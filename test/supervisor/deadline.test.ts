import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Deadline } from '../../src/task/deadline.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => vi.useRealTimers());

test('passes once, after its delay', () => {
  const passed = vi.fn();
  const deadline = new Deadline(1000, passed);
  vi.advanceTimersByTime(999);
  expect(passed).not.toHaveBeenCalled();
  expect(deadline.leftMs).toBe(1);
  vi.advanceTimersByTime(1);
  expect(passed).toHaveBeenCalledOnce();
  vi.advanceTimersByTime(10_000);
  expect(passed).toHaveBeenCalledOnce();
  expect(deadline.leftMs).toBe(0);
});

test('may be further away than a timer can wait', () => {
  const passed = vi.fn();
  const delay = 3 * 2 ** 31;
  new Deadline(delay, passed);
  vi.advanceTimersByTime(delay - 1);
  expect(passed).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(passed).toHaveBeenCalledOnce();
});

test('does not pass once it is cancelled', () => {
  const passed = vi.fn();
  new Deadline(5, passed).cancel();
  vi.advanceTimersByTime(100);
  expect(passed).not.toHaveBeenCalled();
});
