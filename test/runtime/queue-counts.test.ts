import { expect, test } from 'vitest';
import { Activity } from '../../src/runtime/activity.js';
import { Inserting } from '../../src/runtime/lifecycle/inserting.js';
import { QueueCounts } from '../../src/runtime/queue-counts.js';
import type { LiveRecord } from '../../src/store/records.js';
import { withDefaultLimits } from '../../src/task/queues.js';
import { submitSchema } from '../../src/task/request.js';

const record = (status: 'accepted' | 'running', control_context?: { queue?: string; lane?: string }) =>
  ({
    status,
    request: submitSchema.parse({ execution: { kind: 'command', program: 'true' }, control_context }),
    reservation: { task_slots: 1 },
  }) as LiveRecord;

test('live tasks are counted by queue and lane, and a queue without any is forgotten', () => {
  const counts = new QueueCounts(() => 0);
  counts.enter(record('accepted'));
  counts.enter(record('accepted', { queue: 'q', lane: 'l' }));
  counts.enter(record('running', { queue: 'q', lane: 'l' }));
  counts.enter(record('running', { queue: 'q', lane: '__proto__' }));
  expect([...counts.names()]).toEqual(['default', 'q']);
  expect(counts.of('q')).toMatchObject({ accepted: 1, running: 2 });
  expect([...counts.of('q')!.lanes]).toEqual([
    ['l', { accepted: 1, running: 1 }],
    ['__proto__', { accepted: 0, running: 1 }],
  ]);
  counts.leave(record('accepted', { queue: 'q', lane: 'l' }));
  counts.leave(record('running', { queue: 'q', lane: 'l' }));
  counts.leave(record('accepted'));
  expect([...counts.names()]).toEqual(['q']);
  expect([...counts.of('q')!.lanes.keys()]).toEqual(['__proto__']);
});

test('starts and ends count for a minute', () => {
  let now = 5_000_000;
  const activity = new Activity(() => now);
  activity.note('q', 'started');
  now += 30_000;
  activity.note('q', 'started');
  activity.note('q', 'ended');
  activity.note('other', 'ended');
  expect(activity.lastMinute('q')).toEqual({ started: 2, ended: 1 });
  now += 30_000;
  expect(activity.lastMinute('q')).toEqual({ started: 1, ended: 1 });
  activity.note('q', 'ended');
  expect(activity.lastMinute('q')).toEqual({ started: 1, ended: 2 });
  now += 3_600_000;
  expect(activity.lastMinute('q')).toEqual({ started: 0, ended: 0 });
});

test('inserts under way are counted by queue and by tenant', () => {
  const inserting = new Inserting();
  const counts = () => [
    inserting.size,
    inserting.ofQueue('q'),
    inserting.ofTenant('t'),
    inserting.ofTenant(undefined),
  ];
  const { control_context } = submitSchema.parse({
    execution: { kind: 'command', program: 'true' },
    control_context: { queue: 'q', tenant: 't' },
  });
  inserting.add('a', { control_context });
  inserting.add('b', { control_context });
  inserting.add('c', { control_context: undefined });
  expect(counts()).toEqual([3, 2, 2, 1]);
  inserting.delete('a');
  inserting.delete('a');
  expect([...counts(), inserting.has('a'), inserting.has('b')]).toEqual([2, 1, 1, 1, false, true]);
  inserting.delete('b');
  inserting.delete('c');
  expect(counts()).toEqual([0, 0, 0, 0]);
});

test('the limits of a queue fill what a request leaves open, and nothing else', () => {
  const fill = (limits: object | null | undefined, defaults: Record<string, number>) => {
    const sent = { execution: { kind: 'command', program: 'true' }, limits };
    return withDefaultLimits(submitSchema.parse(sent), sent, defaults).limits;
  };
  const defaults = { wall_time_ms: 7, stdout_max_bytes: 9, memory_bytes: 11 };
  const filled = { wall_time_ms: 7, stdout_max_bytes: 9, memory_bytes: 11, stderr_max_bytes: 4_194_304 };
  for (const limits of [undefined, null, {}, { wall_time_ms: null, stdout_max_bytes: null }])
    expect(fill(limits, defaults)).toMatchObject(filled);
  expect(fill({ wall_time_ms: 0, stdout_max_bytes: 4_194_304 }, defaults)).toMatchObject({
    ...filled,
    wall_time_ms: 0,
    stdout_max_bytes: 4_194_304,
  });
  expect(fill({ wall_time_ms: 0 }, {})).toMatchObject({ wall_time_ms: 0 });
});
