import { poll } from './wait.js';

/** SIGKILL, or another signal, to a process that may have ended. */
export function signalIfThere(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/**
 * Kills what `find` finds, again until it finds nothing twice: what was forked meanwhile is found the next time, and what
 * executes a program shows no environment for a moment.
 */
export async function killAll(find: () => readonly { pid: number }[], timeoutMs: number): Promise<void> {
  let looksWithout = 0;
  await poll(() => {
    const found = find();
    for (const { pid } of found) signalIfThere(pid);
    looksWithout = found.length === 0 ? looksWithout + 1 : 0;
    return looksWithout > 1;
  }, timeoutMs);
}
