import type { Stats } from 'node:fs';

/** What stands under a name, in words: `a FIFO`, `a directory`, … */
function kindOf(stat: Stats): string {
  if (stat.isFile()) return 'a file';
  if (stat.isDirectory()) return 'a directory';
  if (stat.isSymbolicLink()) return 'a link';
  if (stat.isFIFO()) return 'a FIFO';
  return stat.isSocket() ? 'a socket' : 'a device';
}

/** Something else stands where a file of ours should be. Carries a code like a system error. */
export class NotAFileError extends Error {
  readonly code = 'ENOTFILE';

  constructor(path: string, stat: Stats) {
    super(`${path} is ${kindOf(stat)}, not a file`);
    this.name = 'NotAFileError';
  }
}

/**
 * Another file system, or another part of one, is mounted where something of a task's directory should be: what is behind
 * it is not the task's, and may never answer. Carries the code that a rename across mounts has.
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
