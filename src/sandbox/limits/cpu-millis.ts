import type { Limit } from './limit.js';

/** The kernel's default period of the CPU quota, and its smallest quota. Microseconds. */
const PERIOD_US = 100_000;
const MIN_QUOTA_US = 1000;
/** More cores than any machine has; the kernel refuses quotas that overflow its arithmetic. */
const MAX_QUOTA_US = 100_000 * PERIOD_US;

/** Share of the CPU of the whole task, in thousandths of a core. */
export const cpuMillis = {
  name: 'cpu_millis',
  plan: 'cpu_millis',
  request: {},
  flag: { name: 'cpu-millis', value: '<n>', help: 'share of the CPU in thousandths of a core' },
  words: (millis) => `${String(millis / 1000)} cores`,
  reserves: 'cpu_millis',
  holders: [
    {
      by: 'cgroup',
      controller: 'cpu',
      capability: 'cpu_quota',
      tried: 1000,
      settings: (millis, { version }) => {
        const share = Math.round((millis * PERIOD_US) / 1000);
        const quota = Math.min(Math.max(share, MIN_QUOTA_US), MAX_QUOTA_US);
        if (version === 'v2') return [['cpu.max', `${quota} ${PERIOD_US}`]];
        return [
          ['cpu.cfs_period_us', String(PERIOD_US)],
          ['cpu.cfs_quota_us', String(quota)],
        ];
      },
    },
  ],
} as const satisfies Limit;
