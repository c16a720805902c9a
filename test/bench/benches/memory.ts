import { setTimeout as delay } from 'node:timers/promises';
import { waitFor } from '../../harness/wait.js';
import type { Bench, BenchContext } from '../bench.js';
import type { BenchDaemon } from '../daemon.js';
import type { Figure } from '../figure.js';
import { fillQueue, load } from '../load/fill-queue.js';
import { type LoadClient, withLoadClient } from '../load/load-client.js';
import { runTasks, TRUE } from '../load/run-tasks.js';
import { childrenOf } from '../probes/children.js';
import { pssKb } from '../probes/pss.js';

const SLEEP = { execution: { kind: 'command', program: 'sleep', args: ['600'] } };
const MANY_SLOTS = 5000;
/** After work, until memory is looked at, in milliseconds; in quick mode a tenth of it. */
const SETTLE_MS = 2000;
/** Guard against hanging. */
const START_ALL_MS = 120_000;

/** What daemon and supervisor take, together, as sum of their PSS; the tasks themselves do not count. */
export const memory: Bench = {
  name: 'memory',
  what: 'idle, for each running and waiting task, and over 100,000 tasks',
  run: (context) => withLoadClient((client) => measure(context, client)),
};

async function measure(context: BenchContext, client: LoadClient): Promise<Figure[]> {
  return [...(await running(context)), ...(await waiting(context)), ...(await overTime(context, client))];
}

async function takenKb({ pick }: BenchContext, daemon: BenchDaemon): Promise<number> {
  await delay(pick(SETTLE_MS, SETTLE_MS / 10));
  return pssKb([daemon.pid, daemon.supervisorPid]);
}

async function running(context: BenchContext): Promise<Figure[]> {
  context.progress('sleeps at once');
  const daemon = await context.startDaemon({ flags: ['--max-running-tasks', `${MANY_SLOTS}`] });
  const idle = await takenKb(context, daemon);
  const counts = context.pick([1000, 5000], [100, 300]);
  const figures: Figure[] = [
    {
      name: 'idle',
      meaning: 'right after the start',
      unit: 'MB',
      rounds: [idle / 1000],
      budget: { of: 'value', at_most: 150 },
    },
  ];
  for (const count of counts) {
    await fillQueue(daemon, [SLEEP], count - (await load(daemon)).running);
    const running = await untilStarted(daemon);
    figures.push(
      {
        name: `running at once, of ${count}`,
        meaning: 'children of the supervisor, after as many times sleep were submitted',
        unit: 'tasks',
        rounds: [running],
        budget: { of: 'value', at_least: count },
      },
      {
        name: `each of ${count} running tasks`,
        meaning: 'over idle',
        unit: 'KB',
        rounds: [((await takenKb(context, daemon)) - idle) / running],
        budget: { of: 'value', at_most: 100 },
      },
    );
  }
  await daemon.end();
  return figures;
}

/** Waits until each task has started, or has failed to. @returns how many processes there are */
async function untilStarted(daemon: BenchDaemon): Promise<number> {
  return waitFor(
    async () => {
      const { running, waiting } = await load(daemon);
      return waiting === 0 && childrenOf(daemon.supervisorPid).length === running && running;
    },
    { timeoutMs: START_ALL_MS, what: 'the start of all tasks' },
  );
}

async function waiting(context: BenchContext): Promise<Figure[]> {
  const count = context.pick(10_000, 1000);
  context.progress(`${count} waiting tasks`);
  const daemon = await context.startDaemon({ flags: ['--max-running-tasks', '1'] });
  await fillQueue(daemon, [SLEEP], 1);
  const idle = await takenKb(context, daemon);
  await fillQueue(daemon, [SLEEP], count);
  const figure: Figure = {
    name: `each of ${count} waiting tasks`,
    meaning: 'over idle, submitted in batches',
    unit: 'KB',
    rounds: [((await takenKb(context, daemon)) - idle) / count],
  };
  await daemon.end();
  return [figure];
}

async function overTime(context: BenchContext, client: LoadClient): Promise<Figure[]> {
  const count = context.pick(100_000, 1000);
  const tenth = count / 10;
  const daemon = await context.startDaemon({ flags: ['--max-running-tasks', '16'] });
  const after: number[] = [];
  for (let done = 0; done < count; done += tenth) {
    context.progress(`${done} of ${count} tasks`);
    await runTasks(client, daemon, { task: TRUE, count: tenth });
    after.push((await takenKb(context, daemon)) / 1000);
  }
  const [early, late] = [after.slice(1, 4), after.slice(-3)];
  return [
    {
      name: `after ${count} tasks`,
      meaning: 'after 8, 9 and 10 tenths of the tasks; the reference after 2, 3 and 4 tenths',
      unit: 'MB',
      rounds: late,
      reference: { name: 'after 2 to 4 tenths of them', unit: 'MB', rounds: early },
      budget: { of: 'ratio', at_most: 1.2 },
    },
  ];
}
