import { ASKED, openBacklog, startOver, type Backlog } from './backlog.js';
import type { BenchContext } from './bench.js';
import type { BenchDaemon } from './daemon.js';
import type { Budget, Figure } from './figure.js';
import type { LoadClient } from './load/load-client.js';
import { pssKb } from './probes/pss.js';
import { costOf } from './scale-cpu.js';
import { taskCosts } from './scale-tasks.js';

/** Tasks of one round that are submitted, wait and run. */
const TASKS = 1000;
/** Status reads of one round. */
const READS = 500;

const BUDGETS: Record<string, Budget> = {
  dispatch: { of: 'ratio', at_most: 1.2 },
  submit: { of: 'ratio', at_most: 1.2 },
  status: { of: 'ratio', at_most: 1.2 },
};

/** Measures one backlog and the other in turn. */
export async function compared(
  context: BenchContext,
  client: LoadClient,
  backlog: Backlog,
  other: Backlog,
): Promise<Figure[]> {
  context.progress(backlog.name);
  const sides = [await openBacklog(context, backlog), await openBacklog(context, other)];
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
  for (const [side, opened] of sides.entries()) {
    let daemon = opened;
    note('memory', 'MB', side, pssKb([daemon.pid]) / 1024);
    for (let round = 0; round < context.rounds; round++) {
      await daemon.stop();
      daemon = await startOver(context, daemon.dataDir);
      note('start-up', 'ms', side, daemon.startMs);
    }
    await daemon.stop();
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

/** @returns processor time of one status of a task that waits, in microseconds */
async function statusCost(client: LoadClient, { pid, port }: BenchDaemon, count: number): Promise<number> {
  const requests = [{ method: 'GET', path: `/api/v1/tasks/${ASKED}` }];
  const send = () => client.run({ kind: 'send', port, connections: 1, count, requests });
  return (await costOf([pid], count, send)).cpu;
}
