import { readFileSync } from 'node:fs';

/** Pids of the children of a process, by the thread that made them: its first. @throws Error when it is gone */
export function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}
