import type { Bench, BenchContext } from '../bench.js';
import type { Figure } from '../figure.js';
import { type LoadClient, withLoadClient } from '../load/load-client.js';
import { type Cost, metric, runTasks, TRUE } from '../load/run-tasks.js';

const SLOTS = ['--max-running-tasks', '16'];

/** Tasks while garbage collection deletes as many as come in. */
export const collection: Bench = {
  name: 'gc',
  what: 'tasks while garbage collection deletes as fast as they come, against without',
  run: (context) => withLoadClient((client) => measure(context, client)),
};

async function measure(context: BenchContext, client: LoadClient): Promise<Figure[]> {
  const kept = context.pick(500, 50);
  const count = context.pick(2000, 200);
  const keepAll = await context.startDaemon({ flags: SLOTS });
  const keepFew = await context.startDaemon({
    flags: [...SLOTS, '--retain-max-tasks', `${kept}`, '--gc-interval-ms', '50'],
  });
  const removed = () => metric(keepFew, 'execgo_runtime_gc_removed_total');
  const load = { task: TRUE, count };
  for (const daemon of [keepAll, keepFew]) await runTasks(client, daemon, { task: TRUE, count: 2 * kept });
  const rounds: { without: Cost; beside: Cost; removed: number }[] = [];
  for (let round = 1; round <= context.rounds; round++) {
    context.progress(`round ${round} of ${context.rounds}`);
    const without = await runTasks(client, keepAll, load);
    const before = await removed();
    const beside = await runTasks(client, keepFew, load);
    rounds.push({ without, beside, removed: ((await removed()) - before) / count });
  }
  const series = (of: 'without' | 'beside', rate: 'perSecond' | 'submitsPerSecond') =>
    rounds.map((round) => round[of][rate]);
  return [
    {
      name: 'submits while garbage is collected',
      meaning: `answered, with ${kept} tasks kept`,
      unit: 'submits/s',
      rounds: series('beside', 'submitsPerSecond'),
      reference: { name: 'without', unit: 'submits/s', rounds: series('without', 'submitsPerSecond') },
      budget: { of: 'ratio', at_least: 0.7 },
    },
    {
      name: 'tasks while garbage is collected',
      meaning: `submit to durable end, with ${kept} tasks kept`,
      unit: 'tasks/s',
      rounds: series('beside', 'perSecond'),
      reference: { name: 'without', unit: 'tasks/s', rounds: series('without', 'perSecond') },
      budget: { of: 'ratio', at_least: 0.7 },
    },
    {
      name: 'removed for each task that came',
      meaning: 'within the same round: 1 says that collection kept up',
      unit: 'tasks',
      rounds: rounds.map((round) => round.removed),
    },
  ];
}
