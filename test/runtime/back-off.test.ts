import { expect, test } from 'vitest';
import { LiveTasks, type Waiting } from '../../src/runtime/live-tasks.js';
import { hindranceOf } from '../../src/runtime/not-yet.js';
import type { WaitingTask } from '../../src/store/records.js';
import { submitSchema } from '../../src/task/request.js';

const HOUR_MS = 3_600_000;
const request = submitSchema.parse({
  execution: { kind: 'command', program: 'true' },
  policy: { retry: { max_attempts: 3, backoff_ms: HOUR_MS } },
});

/** A daemon that finds a task so: how long it is still waited for, and why. */
function found(
  eligible_ms: number,
  { now, lasting }: { now: number; lasting: number },
  policy: Partial<typeof request.policy> = {},
) {
  const clocks = { now: () => now, steady: () => 5_000_000, lasting: () => lasting };
  const live = new LiveTasks(clocks);
  const task = { task_id: 't', submit_seq: 1, created_at_ms: 0, plan: null, reservation: null };
  const state = { status: 'accepted' as const, version: 1, updated_at_ms: 0, past_attempts: 1 };
  const asked = { ...request, policy: { ...request.policy, ...policy } };
  const record: WaitingTask = { ...task, ...state, request: asked, failed_at_ms: 0, eligible_ms };
  const phase = live.add(record, false).phase as Waiting;
  const { reason, until } = hindranceOf(clocks, phase.record) ?? {};
  return { leftMs: 0 - live.sinceMs(phase.mayStartAt), reason, until };
}

test('what is left of a back-off is told by the clock that nobody sets', () => {
  for (const now of [0, 1_700_000_000_000, 1_800_000_000_000]) {
    expect(found(10 * HOUR_MS, { now, lasting: 9.25 * HOUR_MS })).toEqual({
      ...{ leftMs: 0.75 * HOUR_MS, reason: 'retry_backoff' },
      until: { clock: 'lasting', atMs: 10 * HOUR_MS },
    });
    expect(found(10 * HOUR_MS, { now, lasting: 12 * HOUR_MS })).toEqual({ leftMs: -2 * HOUR_MS });
  }
});

test('it is never longer than the policy says, whatever stands in the row', () => {
  const most = Number.MAX_SAFE_INTEGER;
  expect(found(most, { now: 0, lasting: 0 })).toMatchObject({
    ...{ leftMs: HOUR_MS, until: { clock: 'lasting', atMs: HOUR_MS } },
  });
  expect(found(most, { now: 0, lasting: 0 }, { retry: undefined })).toEqual({ leftMs: 0 });
});

test('of several reasons the one counts that lasts longest', () => {
  const at = (ms: number) => new Date(ms).toISOString();
  const [now, lasting] = [100 * HOUR_MS, 9.5 * HOUR_MS];
  const reasonOf = (policy: Partial<typeof request.policy>) =>
    found(10 * HOUR_MS, { now, lasting }, policy).reason;
  expect(reasonOf({})).toBe('retry_backoff');
  expect(reasonOf({ start_at: at(now + 0.25 * HOUR_MS) })).toBe('retry_backoff');
  expect(reasonOf({ start_at: at(now + 0.75 * HOUR_MS) })).toBe('start_at');
  expect(reasonOf({ start_at: at(now + HOUR_MS), hold: true })).toBe('held');
  expect(reasonOf({ start_at: at(now - HOUR_MS), hold: false })).toBe('retry_backoff');
  const over = (policy: Partial<typeof request.policy>) => found(9 * HOUR_MS, { now, lasting }, policy);
  expect(over({ start_at: at(now - 0.25 * HOUR_MS) })).toEqual({ leftMs: -0.25 * HOUR_MS });
  expect(over({ start_at: at(now - 2 * HOUR_MS) })).toEqual({ leftMs: -0.5 * HOUR_MS });
  expect(over({ start_at: at(now + 1) }).reason).toBe('start_at');
});
