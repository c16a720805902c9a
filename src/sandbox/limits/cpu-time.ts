import type { Limit } from './limit.js';

/** CPU time of each process, in seconds. */
export const cpuTime = {
  name: 'cpu_time_sec',
  plan: 'cpu_time',
  alwaysTold: true,
  request: {},
  flag: {
    name: 'cpu-time',
    value: '<seconds>',
    help: 'end a process after this much CPU time, in whole seconds',
  },
  words: (seconds, format) => `CPU time ${format.duration(seconds * 1000)}`,
  holders: [
    {
      by: 'rlimit',
      capability: 'rlimit_cpu',
      tried: 60,
      scope: 'per_process',
      rlimit: (seconds) => {
        // A second between SIGXCPU and KILL.
        const hard = Math.min(seconds + 1, Number.MAX_SAFE_INTEGER);
        return { option: 't', soft: seconds, hard, what: 'CPU time limit' };
      },
    },
  ],
} as const satisfies Limit;
