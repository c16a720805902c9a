import { expect, test } from 'vitest';
import { LiveTasks } from '../../src/runtime/live-tasks.js';
import type { WaitingTask } from '../../src/store/records.js';
import { submitSchema } from '../../src/task/request.js';

const HOUR_MS = 3_600_000;
const request = submitSchema.parse({
  execution: { kind: 'command', program: 'true' },
  policy: { retry: { max_attempts: 3, backoff_ms: HOUR_MS } },
});

/** How long the next attempt is still waited for by a daemon that finds the task so. */
function leftMs(due_ms: number, clocks: { now: number; lasting: number }, policy = request.policy): number {
  const steady = () => 5_000_000;
  const live = new LiveTasks({ now: () => clocks.now, steady, lasting: () => clocks.lasting });
  const task = { task_id: 't', submit_seq: 1, created_at_ms: 0, plan: null, reservation: null };
  const state = { status: 'accepted' as const, version: 1, updated_at_ms: 0, past_attempts: 1 };
  const retry = { since_ms: 0, due_ms };
  const record: WaitingTask = { ...task, ...state, request: { ...request, policy }, retry };
  const { phase } = live.add(record, false);
  return phase.name === 'waiting' ? 0 - live.sinceMs(phase.mayStartAt) : NaN;
}

test('what is left of a back-off is told by the clock that nobody sets', () => {
  for (const now of [0, 1_700_000_000_000, 1_800_000_000_000]) {
    expect(leftMs(10 * HOUR_MS, { now, lasting: 9.25 * HOUR_MS })).toBe(0.75 * HOUR_MS);
    expect(leftMs(10 * HOUR_MS, { now, lasting: 12 * HOUR_MS })).toBe(-2 * HOUR_MS);
  }
});

test('it is never longer than the policy says, whatever stands in the row', () => {
  expect(leftMs(Number.MAX_SAFE_INTEGER, { now: 0, lasting: 0 })).toBe(HOUR_MS);
  const none = { ...request.policy, retry: undefined };
  expect(leftMs(Number.MAX_SAFE_INTEGER, { now: 0, lasting: 0 }, none)).toBe(0);
});
