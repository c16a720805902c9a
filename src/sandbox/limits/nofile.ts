import type { Limit } from './limit.js';

/** What a shell needs to begin a program: it puts descriptors away at 10 and above. */
const MIN = 16;

/** Files that each process may have open at once, also where that is more than the 1024 which a task has without it. */
export const nofile = {
  name: 'nofile',
  plan: 'nofile',
  request: {
    range: { min: MIN, rule: `must be at least ${MIN}` },
    describe:
      'Files that each process may have open; 1024 without it. Where the daemon may have fewer: those',
  },
  flag: { name: 'nofile', value: '<n>', help: 'most open files of a process, 16 at least; 1024 without it' },
  words: (count) => `${String(count)} open files`,
  holders: [
    {
      by: 'rlimit',
      capability: 'rlimit_nofile',
      tried: 64,
      scope: 'per_process',
      rlimit: (count) => ({ option: 'n', soft: count, hard: count, what: 'limit on open files' }),
    },
  ],
} as const satisfies Limit;
