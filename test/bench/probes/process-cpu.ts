import { readFileSync } from 'node:fs';

/** Linux shows processor time to user space in hundredths of a second, on every machine. */
const MS_PER_TICK = 10;

/** Processor time that a process has used since it began, its threads included, in milliseconds. @throws Error when it is gone */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in parentheses may hold blanks; user and system time are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}
