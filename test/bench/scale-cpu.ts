import { readdirSync, readFileSync } from 'node:fs';

/**
 * Processor time of a process since it began in microseconds, from the scheduler's own account: that of the threads
 * that are there now, to the nanosecond, where `stat` counts hundredths of a second.
 * @throws Error when it is gone, or on a kernel without that account
 */
function cpuUs(pid: number): number {
  let ns = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const [running] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
    ns += Number(running);
  }
  return ns / 1000;
}

/** What an action takes for each of `count` tasks or requests, in microseconds. */
export async function costOf(pids: readonly number[], count: number, action: () => Promise<unknown>) {
  const used = () => pids.reduce((sum, pid) => sum + cpuUs(pid), 0);
  const [cpu, began] = [used(), performance.now()];
  await action();
  const elapsed = (performance.now() - began) * 1000;
  return { cpu: (used() - cpu) / count, elapsed: elapsed / count };
}
