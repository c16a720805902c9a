import type { BenchDaemon } from './daemon.js';
import { accept, until } from './scale-tasks.js';

const TERABYTE = 1e12;
/** Tasks a request. */
const BATCH = 500;

/** A tenant with one slot, which is taken. */
const FULL = 'full';
/** Flags of `serve` that {@link fillBacklog} needs. Nobody starves meanwhile: that would hold room from what is measured. */
export const BACKLOG_FLAGS = [
  ...['--tenant-quota', `${FULL}=slots:1`],
  ...['--capacity-memory-bytes', String(TERABYTE), '--starvation-ms', '86400000'],
];

/**
 * Makes `count` tasks wait for three reasons: their tenant's quota is used up, or there is not enough memory for them,
 * be it that many want as much as each other or that each wants another amount. Two tasks run that hold all of that.
 */
export async function fillBacklog(daemon: BenchDaemon, count: number): Promise<void> {
  const sleep = { execution: { kind: 'command', program: '/bin/sleep', args: ['3600'] } };
  const full = { ...sleep, control_context: { tenant: FULL } };
  await accept(daemon, [full, { ...sleep, limits: { memory_bytes: 0.9 * TERABYTE } }]);
  await until(daemon, 'running', 2);
  for (let i = 0; i < count; i += BATCH)
    await accept(
      daemon,
      Array.from({ length: BATCH }, (_, j) => waiting(i + j)),
    );

  function waiting(n: number): object {
    if (n % 3 === 0) return full;
    const memory_bytes = 0.5 * TERABYTE + (n % 3 === 1 ? 0 : n);
    return { ...sleep, limits: { memory_bytes }, policy: { priority: n % 5 } };
  }
}
