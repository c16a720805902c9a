import { readFileSync } from 'node:fs';

/** Memory that the processes take together, in KB: what they share with others counts in part. @throws Error when one is gone */
export function pssKb(pids: readonly number[]): number {
  return pids
    .map((pid) => {
      const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
      return Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1]);
    })
    .reduce((sum, kb) => sum + kb, 0);
}
