import { expect, it } from 'vitest';
import { whyWaiting } from '../../src/cli/waiting-note.js';
import { examples } from '../../src/task/examples.js';

const GIB = 2 ** 30;
const task = examples.TaskView!;
const resources = examples.RuntimeResources!;
const asks = (limits: object, more: object = {}) => ({
  ...task,
  tenant: 'ci',
  ...more,
  limits: { ...task.limits, ...limits },
});
const has = (capacity: object, available: object, tenants: typeof resources.tenants = []) => ({
  ...resources,
  capacity: { task_slots: 4, ...capacity },
  available: { task_slots: 1, ...available },
  tenants,
});
const quota = (free: number) => [
  { tenant: 'ci', quota: { task_slots: 2 }, reserved: { task_slots: 2 }, available: { task_slots: free } },
];

it.each([
  [asks({}), has({}, { task_slots: 0 }), 'all 4 slots are in use'],
  [asks({}), has({ task_slots: 1 }, { task_slots: 0 }), 'the one slot is in use'],
  [
    asks({ memory_bytes: 2 * GIB }),
    has({ memory_bytes: 16 * GIB }, { memory_bytes: GIB }),
    '--memory 2.0 GiB is more than is free now, 1.0 GiB of 16.0 GiB',
  ],
  [asks({ pids_max: 9 }), has({ pids: 9 }, { pids: 8 }), '--pids 9 is more than is free now, 8 of 9'],
  [asks({ pids_max: 9 }), has({}, {}), 'other tasks that wait come first'],
  [asks({}), has({}, {}, quota(0)), 'all 2 slots of tenant ci are in use'],
  [asks({}), has({}, {}, quota(1)), 'other tasks that wait come first'],
  [asks({}, { tenant: 'other' }), has({}, {}, quota(0)), 'other tasks that wait come first'],
  [
    asks({}, { waiting: { reason: 'demands', detail: 'another machine is needed', since: task.created_at } }),
    has({}, { task_slots: 0 }),
    'another machine is needed',
  ],
])('case %#', (waiting, free, words) => {
  expect(whyWaiting(waiting as typeof task, free)).toBe(words);
});
