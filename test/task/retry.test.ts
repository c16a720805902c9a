import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ATTEMPTS_MAX, isRetried, raisedMemory, RETRY_CAUSES, retryDelayMs } from '../../src/task/retry.js';
import { retrySchema } from '../../src/task/retry-schema.js';

const policy = (more: object) => retrySchema.parse({ max_attempts: 3, backoff_ms: 100, ...more });

test('waits grow from the first by the factor, and are never longer than the longest', () => {
  const delays = (more: object) => [1, 2, 3, 4].map((attempt) => retryDelayMs(policy(more), attempt));
  expect(delays({})).toEqual([100, 200, 400, 800]);
  expect(delays({ factor: 1 })).toEqual([100, 100, 100, 100]);
  expect(delays({ factor: 1.5 })).toEqual([100, 150, 225, 338]);
  expect(delays({ max_backoff_ms: 250 })).toEqual([100, 200, 250, 250]);
  expect(retryDelayMs(policy({}), ATTEMPTS_MAX)).toBe(3_600_000);
  expect(retryDelayMs(policy({ backoff_ms: 86_400_000 }), 9)).toBe(86_400_000);
  expect(retryDelayMs(policy({ backoff_ms: 0, factor: 100 }), ATTEMPTS_MAX)).toBe(0);
});

test('a wait is a whole number within its bounds, and none is shorter than the one before', () => {
  const factor = fc.double({ min: 1, max: 100, noNaN: true });
  fc.assert(
    fc.property(fc.nat({ max: 1e9 }), factor, fc.nat({ max: 1e9 }), (backoff_ms, by, more) => {
      const waits = policy({ backoff_ms, factor: by, max_backoff_ms: backoff_ms + more });
      let before = backoff_ms;
      for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
        const delay = retryDelayMs(waits, attempt);
        expect(Number.isSafeInteger(delay) && delay >= before && delay <= backoff_ms + more).toBe(true);
        before = delay;
      }
    }),
  );
});

test('lost is the one cause that has to be named, and exit codes bound exit alone', () => {
  const after = (more: object, attempt = 1, code = 1) =>
    RETRY_CAUSES.filter((cause) => isRetried(policy(more), attempt, { status: 'failed', cause }, code));
  expect(after({})).toEqual(RETRY_CAUSES.filter((cause) => cause !== 'lost'));
  expect(after({ on: ['lost'] })).toEqual(['lost']);
  expect(after({ exit_codes: [1] })).toEqual(['exit']);
  expect(after({ exit_codes: [2] })).toEqual([]);
  expect(after({ exit_codes: [2], on: ['exit', 'oom'] })).toEqual(['oom']);
  expect(after({}, 3)).toEqual([]);
  expect(isRetried(policy({}), 1, { status: 'success', cause: 'exit' }, 0)).toBe(false);
  expect(isRetried(policy({}), 1, { status: 'cancelled', cause: 'cancelled' }, undefined)).toBe(false);
  expect(isRetried(undefined, 1, { status: 'failed', cause: 'exit' }, 1)).toBe(false);
});

test('a memory limit is raised up to the bound, and never lowered', () => {
  expect(raisedMemory(100, 1.5, undefined)).toBe(150);
  expect(raisedMemory(101, 1.5, undefined)).toBe(152);
  expect(raisedMemory(100, 2, 150)).toBe(150);
  expect(raisedMemory(100, 2, 50)).toBe(100);
  expect(raisedMemory(Number.MAX_SAFE_INTEGER - 1, 100, undefined)).toBe(Number.MAX_SAFE_INTEGER);
});
