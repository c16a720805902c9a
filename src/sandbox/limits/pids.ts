import type { Limit } from './limit.js';

/** PID_MAX_LIMIT of 64-bit kernels; a greater number is refused and would limit nothing. */
const PIDS_MAX = 4_194_304;

/** Processes of the whole task at once. */
export const pids = {
  name: 'pids_max',
  plan: 'pids',
  alwaysTold: true,
  request: {},
  flag: { name: 'pids', value: '<n>', help: 'most processes at once' },
  words: (count) => `${String(count)} processes`,
  reserves: 'pids',
  holders: [
    {
      by: 'cgroup',
      controller: 'pids',
      capability: 'pids_limit',
      tried: 64,
      countsProcesses: true,
      settings: (count) => [['pids.max', count > PIDS_MAX ? 'max' : String(count)]],
    },
    {
      by: 'rlimit',
      // The kernel counts RLIMIT_NPROC over all processes of a user, and not at all for root.
      instead: ({ taskUser }) =>
        taskUser === undefined ? undefined : `counts all processes of user ${taskUser} (rlimit)`,
      // bash says -u, dash -p.
      rlimit: (count) => ({ option: 'u', or: 'p', soft: count, hard: count, what: 'process limit' }),
    },
  ],
} as const satisfies Limit;
