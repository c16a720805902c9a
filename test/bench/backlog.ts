import type { BenchContext } from './bench.js';
import type { BenchDaemon } from './daemon.js';
import { fillQueue } from './load/fill-queue.js';
import { idle } from './probes/idle.js';
import type { History } from './scale-history.js';
import { accept, GATE_FLAGS, until } from './scale-tasks.js';

const TERABYTE = 1e12;
/** As many tasks as one request may submit: what starts after another one names it in the same request. */
const CHAINED = 1000;
/** A task that waits, whatever else does. */
export const ASKED = 'asked';

/** Nobody starves meanwhile: that would hold room from what is measured. Nothing is collected. */
const FLAGS = [
  ...GATE_FLAGS,
  ...['--capacity-memory-bytes', String(TERABYTE), '--starvation-ms', '86400000'],
  ...['--result-retention-secs', '315360000'],
];

/** What waits beside the tasks that are measured. */
export interface Backlog {
  name: string;
  /** Tasks that wait for memory, and in how many queues, which are those of as many tenants. */
  waiting: number;
  queues: number;
  /** Each of them but the first in each queue starts after one of another queue, in chains of ten. All of them are of one tenant. */
  chained?: true;
  /** What has ended before. */
  history?: History;
}

const sleep = { execution: { kind: 'command', program: '/bin/sleep', args: ['3600'] } };
const memory = (share: number) => ({ limits: { memory_bytes: share * TERABYTE } });

/** A daemon beside whose tasks so many wait, once it is idle. */
export async function openBacklog(
  context: Pick<BenchContext, 'startDaemon'>,
  { waiting, queues, chained, history }: Backlog,
): Promise<BenchDaemon> {
  const daemon = await startOver(context, history?.dataDir);
  await accept(daemon, [{ ...sleep, ...memory(0.9) }]);
  await until(daemon, 'running', 1);
  const tasks = chained === true ? inChains(queues) : inQueues(queues);
  await fillQueue(daemon, tasks, waiting);
  await accept(daemon, [{ ...inQueues(1)[0], task_id: ASKED }]);
  await idle(daemon);
  return daemon;
}

/** A daemon over what an earlier one has left, or over nothing. */
export function startOver(
  { startDaemon }: Pick<BenchContext, 'startDaemon'>,
  dataDir: string | undefined,
): Promise<BenchDaemon> {
  return startDaemon({ flags: FLAGS, ...(dataDir === undefined ? {} : { dataDir }) });
}

function inQueues(queues: number): object[] {
  return Array.from({ length: queues }, (_, n) => ({
    ...sleep,
    ...memory(0.5),
    control_context: { tenant: `tenant-${n}`, queue: `queue-${n}` },
  }));
}

/** For one request: the chains cross the queues, as each task starts after one that is in the next queue. */
function inChains(queues: number): object[] {
  return Array.from({ length: CHAINED }, (_, n) => ({
    ...sleep,
    ...memory(0.5),
    ref: `n${n}`,
    control_context: { tenant: 'chains', queue: `queue-${n % queues}` },
    policy: { after: n < queues ? [] : [{ ref: `n${n - queues + 1}` }] },
  }));
}
