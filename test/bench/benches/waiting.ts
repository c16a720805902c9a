import type { Bench, BenchContext } from '../bench.js';
import type { BenchDaemon } from '../daemon.js';
import type { Budget, Figure } from '../figure.js';
import { fillQueue } from '../load/fill-queue.js';
import { type LoadClient, withLoadClient } from '../load/load-client.js';
import { pssKb } from '../probes/pss.js';
import { costOf } from '../scale-cpu.js';
import { accept, GATE_FLAGS, taskCosts, until } from '../scale-tasks.js';

const TERABYTE = 1e12;
const QUEUES = 100;
/** A task that waits, whatever else does. */
const ASKED = 'asked';
/** Tasks of one round that are submitted, wait and run. */
const TASKS = 1000;
/** Status reads of one round. */
const READS = 500;

/** Nobody starves meanwhile: that would hold room from what is measured. */
const FLAGS = [
  ...GATE_FLAGS,
  ...['--capacity-memory-bytes', String(TERABYTE), '--starvation-ms', '86400000'],
];

/** What waits beside the tasks that are measured. */
interface Backlog {
  name: string;
  /** Tasks that wait for memory, and in how many queues, which are those of as many tenants. */
  waiting: number;
  queues: number;
}

const BUDGETS: Record<string, Budget> = {
  dispatch: { of: 'ratio', at_most: 1.2 },
  submit: { of: 'ratio', at_most: 1.2 },
  status: { of: 'ratio', at_most: 1.2 },
};

/** What it costs that many tasks wait, in one queue or in many. */
export const waiting: Bench = {
  name: 'waiting',
  what: 'submit, dispatch, status and start-up beside 10,000 waiting in 100 queues, and 100,000 in one',
  run: (context) =>
    withLoadClient(async (client) => {
      const [some, many] = context.pick([10_000, 100_000], [1000, 5000]);
      const beside: Backlog[] = [
        { name: `${some} waiting in one queue`, waiting: some, queues: 1 },
        { name: `${some} waiting in ${QUEUES} queues`, waiting: some, queues: QUEUES },
        { name: `${many} waiting in one queue`, waiting: many, queues: 1 },
      ];
      const none = { name: 'none waiting', waiting: 0, queues: 0 };
      const figures: Figure[] = [];
      for (const backlog of beside) figures.push(...(await compared(context, client, backlog, none)));
      return figures;
    }),
};

/** Measures one backlog and the other in turn. */
async function compared(
  context: BenchContext,
  client: LoadClient,
  backlog: Backlog,
  other: Backlog,
): Promise<Figure[]> {
  context.progress(backlog.name);
  const sides = [await opened(context, backlog), await opened(context, other)];
  const figures = new Map<string, [unit: string, both: [number[], number[]]]>();
  const note = (what: string, unit: string, side: number, value: number) => {
    const [, both] = figures.get(what) ?? [unit, [[], []]];
    figures.set(what, [unit, both]);
    both[side]?.push(value);
  };
  const count = context.pick(TASKS, 100);
  for (let round = 0; round <= context.rounds; round++)
    for (const side of round % 2 === 0 ? [0, 1] : [1, 0]) {
      const daemon = sides[side]!;
      const { submit, kill, dispatch } = await taskCosts(client, daemon, count);
      const status = await statusCost(client, daemon, context.pick(READS, 50));
      // What was compiled and cached in the first round does not count.
      if (round === 0) continue;
      note('submit', 'µs', side, submit.cpu);
      note('submit, elapsed', 'µs', side, submit.elapsed);
      note('dispatch', 'µs', side, dispatch.cpu);
      note('dispatch, elapsed', 'µs', side, dispatch.elapsed);
      note('kill', 'µs', side, kill.cpu);
      note('status', 'µs', side, status);
    }
  for (const [side, daemon] of sides.entries()) {
    note('memory', 'MB', side, pssKb([daemon.pid]) / 1024);
    for (let round = 0; round < context.rounds; round++) {
      const { startMs, stop } = await restarted(context, daemon);
      note('start-up', 'ms', side, startMs);
      await stop();
    }
  }
  return [...figures].map(([what, [unit, [rounds, reference]]]) => ({
    name: `${what}, ${backlog.name}`,
    meaning: MEANINGS[what] ?? 'of one task in microseconds of processor time',
    unit,
    rounds,
    reference: { name: other.name, unit, rounds: reference },
    ...(BUDGETS[what] === undefined ? {} : { budget: BUDGETS[what] }),
  }));
}

const MEANINGS: Record<string, string> = {
  memory: 'of the daemon',
  'start-up': 'from its spawn until it listens',
};

async function opened(context: BenchContext, { waiting: count, queues }: Backlog): Promise<BenchDaemon> {
  const daemon = await context.startDaemon({ flags: FLAGS });
  const sleep = { execution: { kind: 'command', program: '/bin/sleep', args: ['3600'] } };
  await accept(daemon, [{ ...sleep, limits: { memory_bytes: 0.9 * TERABYTE } }]);
  await until(daemon, 'running', 1);
  const tasks = Array.from({ length: queues }, (_, n) => ({
    ...sleep,
    limits: { memory_bytes: 0.5 * TERABYTE },
    control_context: { tenant: `tenant-${n}`, queue: `queue-${n}` },
  }));
  await fillQueue(daemon, tasks, count);
  await accept(daemon, [{ ...tasks[0], ...sleep, task_id: ASKED, limits: { memory_bytes: 0.5 * TERABYTE } }]);
  return daemon;
}

/** A daemon over what another leaves behind. */
async function restarted(
  { startDaemon }: BenchContext,
  { dataDir, stop }: BenchDaemon,
): Promise<BenchDaemon> {
  await stop();
  return startDaemon({ dataDir, flags: FLAGS });
}

/** @returns processor time of one status of a task that waits, in microseconds */
async function statusCost(client: LoadClient, { pid, port }: BenchDaemon, count: number): Promise<number> {
  const requests = [{ method: 'GET', path: `/api/v1/tasks/${ASKED}` }];
  const send = () => client.run({ kind: 'send', port, connections: 1, count, requests });
  return (await costOf([pid], count, send)).cpu;
}
