import { http } from '../harness/http.js';
import type { Bench, BenchContext } from './bench.js';
import type { BenchDaemon } from './daemon.js';
import type { Figure } from './figure.js';
import { type LoadClient, withLoadClient } from './load/load-client.js';
import { idle } from './probes/idle.js';
import { pssKb } from './probes/pss.js';
import { BACKLOG_FLAGS, fillBacklog } from './scale-backlog.js';
import { costOf } from './scale-cpu.js';
import { type Cost, REFERENCE_FINISHED, scaleFigure, type Size } from './scale-figures.js';
import { emptyHistory, type History } from './scale-history.js';
import { type Read, reads } from './scale-reads.js';
import { accept, GATE_FLAGS, taskCosts } from './scale-tasks.js';
import { runTemplates, type Templates } from './seed-templates.js';

/** Nothing is collected but what a round asks for. */
const FLAGS = [...GATE_FLAGS, ...BACKLOG_FLAGS, '--result-retention-secs', '315360000'];
/** Tasks that a round collects, or a few more: those that ended in the same moment. */
const COLLECTED = 100;

/** One of the two daemons that are measured in turn. */
interface Side {
  history: History;
  daemon: BenchDaemon;
  reads: Read[];
}

/** How what everything costs depends on how much has happened before. */
export const scale: Bench = {
  name: 'scale',
  what: 'cost of each operation with up to 1,000,000 finished tasks, and with 10,000 waiting',
  run: (context) =>
    withLoadClient(async (client) => {
      const templates = await runTemplates(context);
      const sizes = context.pick([0, 10_000, 100_000, 1_000_000], [20_000]);
      const waiting = context.pick(10_000, 1_000);
      const largest = sizes.at(-1)!;
      const grown = await emptyHistory(context, templates);
      const figures: Figure[] = [];
      const measure = async (history: History, size: Size) => {
        history.growTo(size.finished);
        const costs = await costsAt(context, client, history, size, templates);
        figures.push(...costs.map((cost) => scaleFigure(cost, size, size.finished === largest)));
      };
      for (const finished of sizes) {
        // What runs while nothing has ended yet must not become the oldest part of the others' history.
        const history = finished === 0 ? await emptyHistory(context, templates) : grown;
        await measure(history, { finished, waiting: 0 });
      }
      await measure(grown, { finished: largest, waiting });
      return figures;
    }),
};

/** Measures a history of that size and a small one, in turn. */
async function costsAt(
  context: BenchContext,
  client: LoadClient,
  grown: History,
  size: Size,
  templates: Templates,
): Promise<Cost[]> {
  context.progress(`${size.finished} finished, ${size.waiting} waiting`);
  const small = await emptyHistory(context, templates);
  const collected = size.finished > 0 ? 2 * (1 + context.rounds) * COLLECTED : 0;
  small.growTo(REFERENCE_FINISHED + collected);
  if (size.waiting > 0) {
    const daemon = await context.startDaemon({ dataDir: grown.dataDir, flags: FLAGS });
    await fillBacklog(daemon, size.waiting);
    await daemon.stop();
  }
  const costs = new Costs();
  for (let round = 0; round < context.rounds; round++)
    for (const [side, { dataDir }] of [grown, small].entries()) {
      const daemon = await context.startDaemon({ dataDir, flags: FLAGS });
      costs.add('start-up', 'ms', side, daemon.startMs);
      await daemon.stop();
    }
  const sides = [await opened(context, grown, collected), await opened(context, small, collected)];
  // What was compiled and cached in the first round does not count.
  await oneRound(context, client, sides, 0, collected > 0, new Costs());
  for (let round = 1; round <= context.rounds; round++) {
    context.progress(
      `${size.finished} finished, ${size.waiting} waiting: round ${round} of ${context.rounds}`,
    );
    await oneRound(context, client, sides, round, collected > 0, costs);
  }
  for (const [side, { daemon }] of sides.entries()) {
    costs.add('memory of the daemon', 'MB', side, pssKb([daemon.pid]) / 1024);
    await daemon.end();
  }
  return costs.all();
}

/** Does everything on the one and on the other; who comes first changes from round to round. */
async function oneRound(
  { pick }: BenchContext,
  client: LoadClient,
  sides: readonly Side[],
  round: number,
  collecting: boolean,
  costs: Costs,
): Promise<void> {
  const each = async (action: (side: Side, index: number) => Promise<void>) => {
    const both = [...sides.entries()];
    for (const [index, side] of round % 2 === 0 ? both : both.reverse()) await action(side, index);
  };
  await each(async ({ daemon }, side) => {
    const { submit, kill, dispatch } = await taskCosts(client, daemon, pick(1000, 100));
    costs.add('submit', 'µs', side, submit.cpu);
    costs.add('submit, elapsed', 'µs', side, submit.elapsed);
    costs.add('dispatch', 'µs', side, dispatch.cpu);
    costs.add('dispatch, elapsed', 'µs', side, dispatch.elapsed);
    costs.add('kill of a waiting task', 'µs', side, kill.cpu);
  });
  if (collecting)
    await each(async (s, side) => {
      costs.add('collection of a task', 'µs', side, await collect(s));
    });
  for (const [i, { name }] of sides[0]!.reads.entries())
    await each(async ({ daemon: { pid, port }, reads }, side) => {
      const { count, requests } = reads[i]!;
      const send = () => client.run({ kind: 'send', port, connections: 1, count, requests });
      costs.add(name, 'µs', side, (await costOf([pid], count, send)).cpu);
    });
}

/** @param collected how many of its tasks may be gone at the end */
async function opened(context: BenchContext, history: History, collected: number): Promise<Side> {
  const daemon = await context.startDaemon({ dataDir: history.dataDir, flags: FLAGS });
  const [running] = await accept(daemon, [
    { execution: { kind: 'command', program: '/bin/sleep', args: ['3600'] } },
  ]);
  await idle(daemon);
  await withLoadClient((client) => taskCosts(client, daemon, 50));
  return { history, daemon, reads: await reads(daemon, history.sample(collected), running!) };
}

/** Collects the oldest tasks. @returns processor time for each in microseconds */
async function collect({ daemon, history }: Side): Promise<number> {
  const older_than_ms = history.ageOfOldest(COLLECTED);
  let removed = 0;
  const { cpu } = await costOf([daemon.pid], 1, async () => {
    const { body } = await http(daemon.url).post<{ removed: number }>('/api/v1/gc', { older_than_ms });
    removed = body.removed;
  });
  return cpu / removed;
}

/** Gathers numbers in the order of operations. */
class Costs {
  readonly #costs = new Map<string, Cost>();

  /** @param side 0 for what is measured, 1 for what it is compared with */
  add(operation: string, unit: Cost['unit'], side: number, value: number): void {
    const cost = this.#costs.get(operation) ?? { operation, unit, rounds: [], reference: [] };
    this.#costs.set(operation, cost);
    (side === 0 ? cost.rounds : cost.reference).push(value);
  }

  all(): Cost[] {
    return [...this.#costs.values()];
  }
}
