import type { Stats } from 'node:fs';

/** The kind of a file in words: `a FIFO`, `a directory`, … */
function kindOf(stat: Stats): string {
  if (stat.isFile()) return 'a file';
  if (stat.isDirectory()) return 'a directory';
  if (stat.isSymbolicLink()) return 'a link';
  if (stat.isFIFO()) return 'a FIFO';
  return stat.isSocket() ? 'a socket' : 'a device';
}

/** A path that should name a regular file of ours names something else. Has a `code` like a system error. */
export class NotAFileError extends Error {
  readonly code = 'ENOTFILE';

  constructor(path: string, stat: Stats) {
    super(`${path} is ${kindOf(stat)}, not a file`);
    this.name = 'NotAFileError';
  }
}

/**
 * Something in a task's directory is in another mount: what is mounted there does not belong to the task, and may never
 * answer. Has the code EXDEV, as a rename across mounts.
 */
export class MountedError extends Error {
  readonly code = 'EXDEV';

  constructor(path: string) {
    super(
      `${path} is a mount point, and nothing in it is read, written or removed; unmount it: umount ${path}`,
    );
    this.name = 'MountedError';
  }
}
