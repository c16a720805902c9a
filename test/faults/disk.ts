import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A small file system of its own. */
export interface TinyDisk {
  path: string;
  /** Takes all room that is left, to the last byte. */
  fill: () => void;
  /** Gives it back. */
  free: () => void;
}

/**
 * Mounts a tmpfs of `mebibytes` at `path`, which is made where it is missing, until the end of the test. To be called
 * before what works on it is started: what is registered later is cleaned up earlier.
 */
export function mountDisk(path: string, mebibytes: number): TinyDisk {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m,mode=0700`, 'tmpfs', path]);
  onTestFinished(() => {
    execFileSync('umount', ['-l', path]);
  });
  const ballast = join(path, 'ballast');
  return { path, fill: () => fillUp(ballast), free: () => rmSync(ballast, { force: true }) };
}

function fillUp(path: string): void {
  const fd = openSync(path, 'a', 0o600);
  try {
    for (let size = 65_536; size >= 1; size = Math.floor(size / 2))
      try {
        for (;;) writeSync(fd, Buffer.alloc(size));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
  } finally {
    closeSync(fd);
  }
}
