import { closeSync, readFileSync, readdirSync } from 'node:fs';

/** O_CLOEXEC, as /proc shows it. */
const CLOSE_ON_EXEC = 0o2000000;

/**
 * Closes what whoever started this process left open: it is for no task. Everything that Node opens itself is closed by an
 * exec, which tells the two apart. Without /proc nothing is done.
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

/** Open flags of a descriptor; one that is closed already has every flag. */
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
