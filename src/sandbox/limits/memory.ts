import type { Limit } from './limit.js';

/** Memory of the whole task in bytes, swap included. */
export const memory = {
  name: 'memory_bytes',
  plan: 'memory',
  alwaysTold: true,
  request: {},
  flag: { name: 'memory', value: '<size>', help: 'memory limit, such as 64M' },
  words: (bytes, format) => `memory ${format.size(bytes)}`,
  reserves: 'memory_bytes',
  holders: [
    {
      by: 'cgroup',
      controller: 'memory',
      capability: 'memory_limit',
      tried: 2 ** 30,
      settings: (bytes, { version, swap = false }) => {
        const value = String(bytes);
        if (version === 'v1')
          return [
            ['memory.limit_in_bytes', value],
            // Memory and swap together: swapping must not become a way around the limit.
            ...(swap ? [['memory.memsw.limit_in_bytes', value] satisfies [string, string]] : []),
          ];
        return [
          ['memory.max', value],
          ...(swap ? [['memory.swap.max', '0'] satisfies [string, string]] : []),
          ['memory.oom.group', '1'],
        ];
      },
    },
    {
      by: 'rlimit',
      capability: 'rlimit_memory',
      tried: 2 ** 30,
      instead: () => 'limits the address space of each process (rlimit)',
      rlimit: (bytes) => {
        const kib = Math.max(1, Math.floor(bytes / 1024));
        return { option: 'v', soft: kib, hard: kib, what: 'address space limit' };
      },
    },
  ],
} as const satisfies Limit;
