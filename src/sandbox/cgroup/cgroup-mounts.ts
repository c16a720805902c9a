import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { readText } from '../../files/read-text.js';

/** File system magic numbers of linux/magic.h: CGROUP2_SUPER_MAGIC, CGROUP_SUPER_MAGIC. */
const CGROUP2_MAGIC = 0x63677270;
const CGROUP_MAGIC = 0x27e0eb;

/** One mounted cgroup file system. */
export interface CgroupMount {
  path: string;
  version: 'v1' | 'v2';
  /** v1 controllers of this mount; empty for v2, where each directory lists its own. */
  controllers: string[];
}

/** The cgroup mounts in the text of /proc/self/mounts, where spaces in paths are written in octal. */
export function parseCgroupMounts(mounts: string): CgroupMount[] {
  return mounts.split('\n').flatMap((line): CgroupMount[] => {
    const [, path = '', type, options = ''] = line.split(' ');
    if (type !== 'cgroup' && type !== 'cgroup2') return [];
    const decoded = path.replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(parseInt(octal, 8)),
    );
    const v1 = type === 'cgroup';
    return [{ path: decoded, version: v1 ? 'v1' : 'v2', controllers: v1 ? options.split(',') : [] }];
  });
}

export function readCgroupMounts(): CgroupMount[] {
  return parseCgroupMounts(readText('/proc/self/mounts') ?? '');
}

/**
 * @returns the cgroup version of the file system that a path, or its nearest existing parent, is on; undefined when it is on
 *   another file system.
 */
export function cgroupVersionOf(path: string): 'v1' | 'v2' | undefined {
  for (let at = path; ; at = dirname(at)) {
    try {
      const { type } = statfsSync(at);
      return type === CGROUP2_MAGIC ? 'v2' : type === CGROUP_MAGIC ? 'v1' : undefined;
    } catch {
      if (at === dirname(at)) return undefined;
    }
  }
}

/** @returns this process's own directory in the v2 hierarchy, relative to its mount; undefined when there is none. */
export function ownCgroup(): string | undefined {
  return /^0::(\/.*)$/m.exec(readText('/proc/self/cgroup') ?? '')?.[1];
}
