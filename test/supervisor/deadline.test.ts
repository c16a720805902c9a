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

test('does not pass while it stands still, and has as much time left as it had', () => {
  const passed = vi.fn();
  const deadline = new Deadline(1000, passed);
  vi.advanceTimersByTime(400);
  deadline.standStill();
  vi.advanceTimersByTime(10_000);
  deadline.standStill();
  expect([passed.mock.calls.length, deadline.leftMs]).toEqual([0, 600]);
  deadline.goOn();
  deadline.goOn();
  vi.advanceTimersByTime(599);
  expect([passed.mock.calls.length, deadline.leftMs]).toEqual([0, 1]);
  vi.advanceTimersByTime(1);
  expect(passed).toHaveBeenCalledOnce();
  deadline.goOn();
  vi.advanceTimersByTime(10_000);
  expect(passed).toHaveBeenCalledOnce();
});

test('does not pass where it is cancelled while it stands still, or stands still at its last moment', () => {
  const passed = vi.fn();
  const cancelled = new Deadline(5, passed);
  cancelled.standStill();
  cancelled.cancel();
  cancelled.goOn();
  const due = new Deadline(5, passed);
  vi.advanceTimersByTime(4);
  due.standStill();
  vi.advanceTimersByTime(100);
  expect(passed).not.toHaveBeenCalled();
  due.goOn();
  vi.advanceTimersByTime(1);
  expect(passed).toHaveBeenCalledOnce();
});
