import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decide, firesAtMs, type Due } from '../../../src/runtime/schedules/decide.js';
import { dueTimesOf } from '../../../src/runtime/schedules/due-times.js';
import { StoredSpec } from '../../../src/task/schedules.js';

/** Due at 1000, 2000, 3000 … */
function due(spec: object, more: Partial<Due> = {}): Due {
  const parsed = StoredSpec.parse({ interval_ms: 1000, grace_ms: 1000, ...spec });
  const times = dueTimesOf(parsed, 0);
  return { name: 'n', spec: parsed, times, nextDueMs: 1000, running: undefined, waiting: 0, ...more };
}
const decided = (spec: object, nowMs: number, more: Partial<Due> = {}) => {
  const { runs, supersedes, next_due_ms } = decide(due(spec, more), nowMs);
  return {
    runs: runs.map(({ due_ms, outcome, count }) => [
      due_ms,
      outcome,
      ...(count === undefined ? [] : [count]),
    ]),
    supersedes,
    next_due_ms,
  };
};

test('a due time that is on time is to be submitted, whatever is said of those that are missed', () => {
  for (const catch_up of ['none', 'last', 'all'])
    expect(decided({ catch_up }, 1010)).toEqual({
      runs: [[1000, 'waiting']],
      supersedes: undefined,
      next_due_ms: 2000,
    });
});

test('of those that were missed none, the last one, or the last ones are submitted', () => {
  const times = { interval_ms: 1_000_000 };
  const late = (spec: object) => decided({ ...times, ...spec }, 100_002_500, { nextDueMs: 1_000_000 });
  expect(late({ catch_up: 'none' }).runs).toEqual([[100_000_000, 'missed', 50]]);
  expect(late({ catch_up: 'last' }).runs).toEqual([
    [99_000_000, 'missed', 50],
    [100_000_000, 'waiting'],
  ]);
  expect(late({ catch_up: 'all', catch_up_max: 2 }).runs).toEqual([
    [98_000_000, 'missed', 50],
    [99_000_000, 'waiting'],
    [100_000_000, 'waiting'],
  ]);
  // What takes the place of others need not come after them.
  expect(late({ catch_up: 'all', overlap: 'replace' }).runs).toEqual([
    [99_000_000, 'missed', 50],
    [100_000_000, 'waiting'],
  ]);
  expect(late({ catch_up: 'last' }).next_due_ms).toBe(101_000_000);
});

test('one on time stands for the last of those that were missed', () => {
  expect(decided({ interval_ms: 10_000, catch_up: 'last' }, 30_500, { nextDueMs: 10_000 }).runs).toEqual([
    [20_000, 'missed', 2],
    [30_000, 'waiting'],
  ]);
});

test('a task that has not ended decides by what the schedule says of that', () => {
  const busy = { running: 'n.1' };
  expect(decided({ overlap: 'skip' }, 1010, busy).runs).toEqual([[1000, 'skipped']]);
  expect(decided({ overlap: 'queue' }, 1010, busy).runs).toEqual([[1000, 'waiting']]);
  expect(decided({ overlap: 'queue' }, 1010, { ...busy, waiting: 100 }).runs).toEqual([[1000, 'skipped']]);
  expect(decided({ overlap: 'replace' }, 1010, busy)).toMatchObject({
    runs: [[1000, 'waiting']],
    supersedes: undefined,
  });
  expect(decided({ overlap: 'replace' }, 1010, { ...busy, waiting: 1 })).toMatchObject({
    runs: [[1000, 'waiting']],
    supersedes: 'a later due time has taken its place',
  });
  // Of several at once the last one is left.
  expect(decided({ overlap: 'replace', grace_ms: 5000 }, 2010, busy).runs).toEqual([
    [1000, 'skipped'],
    [2000, 'waiting'],
  ]);
  expect(decided({ overlap: 'skip', grace_ms: 5000 }, 2010).runs).toEqual([
    [1000, 'waiting'],
    [2000, 'skipped'],
  ]);
  // So it does for one that is caught up.
  expect(
    decided({ interval_ms: 10_000, catch_up: 'last' }, 15_000, { ...busy, nextDueMs: 10_000 }).runs,
  ).toEqual([[10_000, 'skipped']]);
});

test('jitter delays each due time by an amount of its own, which does not change', () => {
  const { spec } = due({ jitter_ms: 900 });
  const delays = Array.from({ length: 50 }, (_, i) => firesAtMs('n', spec, i * 1000) - i * 1000);
  expect(delays).toEqual(Array.from({ length: 50 }, (_, i) => firesAtMs('n', spec, i * 1000) - i * 1000));
  for (const delay of delays) expect(delay >= 0 && delay <= 900).toBe(true);
  expect(new Set(delays).size).toBeGreaterThan(30);
  expect(delays).not.toEqual(Array.from({ length: 50 }, (_, i) => firesAtMs('m', spec, i * 1000) - i * 1000));
});

test('however the clock jumps, each due time is decided of once, and none is left out', () => {
  const specs = fc.record({
    overlap: fc.constantFrom('skip', 'queue', 'replace'),
    catch_up: fc.constantFrom('none', 'last', 'all'),
    catch_up_max: fc.integer({ min: 1, max: 5 }),
    grace_ms: fc.integer({ min: 1000, max: 4000 }),
    jitter_ms: fc.nat({ max: 999 }),
  });
  const jumps = fc.array(fc.integer({ min: -20_000, max: 30_000 }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(specs, jumps, (spec, clock) => {
      let nextDueMs = 1000;
      let nowMs = 0;
      const seen: number[] = [];
      for (const jump of clock) {
        nowMs += jump;
        const at = due(spec, { nextDueMs });
        if (firesAtMs(at.name, at.spec, nextDueMs) > nowMs) continue;
        const { runs, next_due_ms } = decide(at, nowMs);
        for (const { due_ms, count = 1 } of runs)
          for (let n = count - 1; n >= 0; n--) seen.push(due_ms - n * 1000);
        expect(next_due_ms).toBeGreaterThan(nextDueMs);
        nextDueMs = next_due_ms!;
        expect(seen).toEqual(Array.from({ length: nextDueMs / 1000 - 1 }, (_, i) => (i + 1) * 1000));
      }
    }),
  );
});
