import { randomBytes } from 'node:crypto';
import { readdirSync, rmdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { RUN_DIR_VARIABLE, TEST_PREFIX } from './run-dir.js';

const CGROUP_ROOT = '/sys/fs/cgroup';

/** A name for a cgroup directory, never used before, that tells which test run it belongs to. */
export function cgroupName(): string {
  const run = basename(process.env[RUN_DIR_VARIABLE] ?? TEST_PREFIX);
  return `${run}-${randomBytes(4).toString('hex')}`;
}

/** Absolute paths of the directories whose name begins with `prefix`, right under the cgroup root or under a hierarchy of it. */
export function cgroupDirs(prefix: string): string[] {
  const parents = [CGROUP_ROOT, ...subdirectories(CGROUP_ROOT)];
  return parents.flatMap((parent) =>
    subdirectories(parent).filter((dir) => basename(dir).startsWith(prefix)),
  );
}

/** Absolute paths of the directories right in `dir`; none when it is gone. */
export function subdirectories(dir: string): string[] {
  try {
    return readdirSync(dir, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(dir, entry.name));
  } catch {
    return [];
  }
}

/** Removes a cgroup directory and those inside it. Throws EBUSY while a process is in one. */
export function removeCgroup(dir: string): void {
  subdirectories(dir).forEach(removeCgroup);
  try {
    rmdirSync(dir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
