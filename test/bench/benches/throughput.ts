import type { Bench, BenchContext } from '../bench.js';
import type { BenchDaemon } from '../daemon.js';
import type { Figure, Series } from '../figure.js';
import { type LoadClient, withLoadClient } from '../load/load-client.js';
import { type Cost, runTasks, TRUE } from '../load/run-tasks.js';
import { nq } from '../references/nq.js';
import { koffiSpawn, rawSpawn } from '../references/raw-spawn.js';
import { taskSpooler } from '../references/task-spooler.js';

const MIB = 1024 * 1024;
const LIMITS = { limits: { memory_bytes: 256 * MIB, pids_max: 64 } };
const OUTPUT_64_KB = { execution: { kind: 'command', program: 'head', args: ['-c', '65536', '/dev/zero'] } };
const IN_FLIGHT = 4;

/** How fast tasks go through, against what the machine and other queues can do. */
export const throughput: Bench = {
  name: 'throughput',
  what: '/bin/true from submit to durable end, against raw spawns, tsp and nq',
  run: (context) => withLoadClient((client) => measure(context, client)),
};

/** Tasks a second, one number a round, by what was measured. */
class Rounds {
  readonly #rounds = new Map<string, number[]>();

  add(name: string, value: number | undefined): void {
    const rounds = this.#rounds.get(name) ?? [];
    if (value !== undefined) rounds.push(value);
    this.#rounds.set(name, rounds);
  }

  series(name: string, unit = 'tasks/s'): Series {
    return { name, unit, rounds: this.#rounds.get(name) ?? [] };
  }
}

async function measure(context: BenchContext, client: LoadClient): Promise<Figure[]> {
  const { pick, scratch } = context;
  const raw = rawSpawn(scratch());
  const throughKoffi = koffiSpawn();
  const slots16 = await context.startDaemon({ flags: ['--max-running-tasks', '16'] });
  const slots64 = await context.startDaemon({ flags: ['--max-running-tasks', '64'] });
  const rounds = new Rounds();
  const run = async (name: string, daemon: BenchDaemon, job: Parameters<typeof runTasks>[2]) => {
    const cost = await runTasks(client, daemon, job);
    rounds.add(name, cost.perSecond);
    return cost;
  };
  await runTasks(client, slots16, { task: TRUE, count: pick(1000, 100) });
  await runTasks(client, slots64, { task: TRUE, count: pick(300, 50) });
  const count = pick(2000, 300);
  for (let round = 1; round <= context.rounds; round++) {
    context.progress(`round ${round} of ${context.rounds}`);
    rounds.add('raw', await raw.perSecond(pick(4000, 1000), IN_FLIGHT));
    addCost(rounds, await run('plain', slots16, { task: TRUE, count }));
    rounds.add('koffi', await throughKoffi.perSecond(pick(3000, 500), IN_FLIGHT));
    rounds.add('tsp', await taskSpooler(scratch(), pick(1000, 200)));
    rounds.add('nq', await nq(scratch(), pick(400, 100)));
    await run('limits', slots16, { task: { ...TRUE, ...LIMITS }, count: pick(1000, 150) });
    await run('64 slots', slots64, { task: TRUE, count });
    await run('output', slots16, { task: OUTPUT_64_KB, count: pick(1000, 100) });
    await run('batch', slots16, { task: TRUE, count: pick(2000, 300), batchOf: pick(1000, 300) });
    await run('closed loop', slots16, { task: TRUE, count: pick(1500, 200), closedLoop: true });
  }
  return figures(rounds, raw.language);
}

function addCost(rounds: Rounds, cost: Cost): void {
  rounds.add('daemon', cost.daemonMs);
  rounds.add('supervisor', cost.supervisorMs);
  rounds.add('client', cost.clientMs);
  rounds.add('submit', cost.submitsPerSecond);
}

function figures(rounds: Rounds, language: string): Figure[] {
  const raw = { ...rounds.series('raw'), name: `raw posix_spawn and wait in ${language}, 4 in flight` };
  const plain = rounds.series('plain');
  const figure = (name: string, meaning: string, of: string, unit?: string): Figure => ({
    ...rounds.series(of, unit),
    name,
    meaning,
  });
  const cpu = 'processor time in a task without limits, over the rounds of 16 slots';
  return [
    {
      ...figure('tasks without limits', 'HTTP submit to durable end, 16 connections, 16 slots', 'plain'),
      reference: raw,
      budget: { of: 'ratio', at_least: 0.3, aim: 0.45 },
    },
    {
      ...figure('tasks with memory and pids limits', 'the same with the launch chain and cgroups', 'limits'),
      reference: raw,
      budget: { of: 'ratio', at_least: 0.2, aim: 0.28 },
    },
    {
      ...plain,
      name: 'tasks without limits, against tsp',
      meaning: 'task-spooler keeps its queue in memory, 4 slots',
      reference: { ...rounds.series('tsp'), name: 'tsp, 4 slots' },
      budget: { of: 'ratio', at_least: 1, aim: 1.4 },
    },
    {
      ...plain,
      name: 'tasks without limits, against nq',
      meaning: 'nq keeps its queue in files and runs one at a time',
      reference: { ...rounds.series('nq'), name: 'nq' },
    },
    { ...figure('raw spawns through koffi', 'what Node itself can reach', 'koffi'), reference: raw },
    { ...figure('tasks without limits, 64 slots', 'as the first', '64 slots'), reference: raw },
    { ...figure('tasks with 64 KB of output', 'as the first, with head -c 65536', 'output'), reference: raw },
    { ...figure('tasks in batches', 'POST /api/v1/tasks/batch, then until idle', 'batch'), reference: raw },
    {
      ...figure('submit, then wait', '16 connections, each submits and waits in turn', 'closed loop'),
      reference: raw,
    },
    figure('submits answered', 'of tasks without limits, while tasks run', 'submit', 'submits/s'),
    figure('daemon', cpu, 'daemon', 'CPU ms/task'),
    figure('supervisor', `${cpu}, without its children's`, 'supervisor', 'CPU ms/task'),
    figure('load client', cpu, 'client', 'CPU ms/task'),
  ];
}
