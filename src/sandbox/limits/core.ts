import type { Limit, Rlimit } from './limit.js';

/** ulimit counts core files in blocks of 512 bytes. */
const BLOCK = 512;

const rlimit = (bytes: number): Rlimit => {
  const blocks = Math.floor(bytes / BLOCK);
  return { option: 'c', soft: blocks, hard: blocks, what: 'limit on core files' };
};

/** Bytes of the core file that a process leaves when it crashes; 0: none. */
export const core = {
  name: 'core_bytes',
  plan: 'core',
  request: {
    range: { min: 0, rule: 'must be 0, for no core file, or more' },
    describe: 'The biggest core file of each process, in whole blocks of 512 bytes; 0: none',
  },
  flag: { name: 'core', value: '<size>', help: 'biggest core file of a process that crashes; 0 for none' },
  words: (bytes, format) => (bytes === 0 ? 'no core files' : `core files of ${format.size(bytes)}`),
  holders: [
    {
      by: 'rlimit',
      capability: 'core_limit',
      tried: 0,
      scope: 'per_process',
      rlimit,
      unless: (read) => {
        const pattern = read('/proc/sys/kernel/core_pattern')?.trim() ?? '';
        // With "|program" or "@socket" the kernel passes on the whole core file, and only says what the limit is.
        return /^[|@]/.test(pattern) ? `kernel.core_pattern is "${pattern}"` : undefined;
      },
    },
    {
      by: 'rlimit',
      capability: 'rlimit_core',
      tried: 0,
      scope: 'per_process',
      rlimit,
      instead: () => 'is told to what the kernel hands core files to, and holds as far as that keeps to it',
    },
  ],
} as const satisfies Limit;
