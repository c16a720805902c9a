import { closeSync, readFileSync, readdirSync } from 'node:fs';

/** O_CLOEXEC, as /proc shows it. */
const CLOSE_ON_EXEC = 0o2000000;

/**
 * Closes the descriptors that the process which started this one left open: they are not meant for tasks. Descriptors that
 * Node opens are all close-on-exec, which tells the two apart. Does nothing without /proc.
 */
export function closeInherited(): void {
  for (const fd of listFds()) if (fd > 2 && (flagsOf(fd) & CLOSE_ON_EXEC) === 0) closeSync(fd);
}

function listFds(): number[] {
  try {
    return readdirSync('/proc/self/fd').map(Number);
  } catch {
    return [];
  }
}

/** The open flags of a descriptor; all bits set for one that is closed already, so that it is left alone. */
function flagsOf(fd: number): number {
  try {
    return parseInt(
      /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '',
      8,
    );
  } catch {
    return ~0;
  }
}
