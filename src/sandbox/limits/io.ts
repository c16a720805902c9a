import type { Limit } from './limit.js';

const V2_KEY = { read: 'rbps', write: 'wbps' };

/** Bytes a second between the task and each block device of the machine, those included that it is given nothing of. */
function io<Direction extends 'read' | 'write'>(direction: Direction) {
  return {
    name: `io_${direction}_bps`,
    plan: `io_${direction}`,
    request: {
      describe: `Bytes a second that it may ${direction}, for each block device by itself`,
    },
    flag: {
      name: `io-${direction}`,
      value: '<size>',
      help: `most bytes a second that it may ${direction}, for each block device by itself`,
    },
    words: (bytes, format) => `${direction}s of ${format.size(bytes)}/s`,
    holders: [
      {
        by: 'cgroup',
        controller: 'io',
        capability: 'io_limit',
        tried: 2 ** 30,
        scope: 'per_device',
        settings: (bytes, { version }, devices) =>
          devices().map((device) =>
            version === 'v2'
              ? ['io.max', `${device} ${V2_KEY[direction]}=${bytes}`]
              : [`blkio.throttle.${direction}_bps_device`, `${device} ${bytes}`],
          ),
        // v2 knows whose pages the kernel writes, from the memory controller; v1 does not.
        misses: ({ cgroup, memory_limit }) =>
          direction === 'read' || (cgroup === 'v2' && memory_limit)
            ? undefined
            : 'counts what the task waits for (direct, synchronous), not what the kernel writes for it later',
      },
    ],
  } as const satisfies Limit;
}

export const ioRead = io('read');
export const ioWrite = io('write');
