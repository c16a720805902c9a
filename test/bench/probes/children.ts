import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Pids of the children of a process, whichever of its threads made them. @throws Error when it is gone */
export function childrenOf(pid: number): number[] {
  const threads = `/proc/${pid}/task`;
  return readdirSync(threads)
    .flatMap((thread) =>
      readFileSync(join(threads, thread, 'children'), 'utf8')
        .trim()
        .split(' '),
    )
    .filter((child) => child !== '')
    .map(Number);
}
