import type { Limit } from './limit.js';

/** Disk space of the workspace, in bytes of the blocks that its files take. Measured again and again while the task runs. */
export const disk = {
  name: 'disk_bytes',
  plan: 'disk',
  request: {
    describe:
      'The disk space of its workspace, measured about once a second: a task that has more is ended at once',
  },
  flag: { name: 'disk', value: '<size>', help: 'end the task when its workspace takes more of the disk' },
  words: (bytes, format) => `disk ${format.size(bytes)}`,
  reserves: 'disk_bytes',
  holders: [{ by: 'supervisor', mechanism: 'measured' }],
} as const satisfies Limit;
