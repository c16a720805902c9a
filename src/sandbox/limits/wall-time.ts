import type { Limit } from './limit.js';

/** How long a task may run, in milliseconds; 0: as long as it takes. Held by the supervisor's deadline, on every host. */
export const wallTime = {
  name: 'wall_time_ms',
  plan: 'wall_time',
  request: {
    range: { min: 0, rule: 'must be 0, for none, or more' },
    describe:
      'How long it may run; 0: as long as it takes. Without it the daemon decides, by default 300,000',
  },
  flag: {
    name: 'wall-time',
    value: '<duration>',
    help: 'end the task after this long, such as 10s, 5m, 1h; never without it',
  },
  words: (ms, format) => (ms === 0 ? 'no wall time' : `wall time ${format.duration(ms)}`),
  holders: [],
} as const satisfies Limit;
