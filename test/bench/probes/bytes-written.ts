import { readFileSync } from 'node:fs';

/** What a process has passed to write(2) and its kind since it began. @throws Error when it is gone */
export function bytesWritten(pid: number): number {
  return Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1]);
}
