import type { Bench, BenchContext } from '../bench.js';
import type { BenchDaemon } from '../daemon.js';
import { type Figure, quantile } from '../figure.js';
import { Connection, requestBytes } from '../load/connection.js';
import { type LoadClient, withLoadClient } from '../load/load-client.js';
import { fillQueue } from '../load/fill-queue.js';
import { successes } from '../load/run-tasks.js';
import { wallClock } from '../probes/wall-clock.js';
import { type Stamp, stampProgram } from '../references/stamp.js';

const SLOTS = 16;
/** What keeps the slots busy is so long on average, in milliseconds, … */
const FILLER_MS = 100;
/** … and each differs from the next: as long as each other, they would soon end all at once. */
const FILLERS = [-40, -30, -20, -10, 0, 10, 20, 30, 40].map((more) => ({
  execution: { kind: 'command', program: 'sleep', args: [`${(FILLER_MS + more) / 1000}`] },
}));
/** Goes first, so that its delay is the daemon's and that of the next slot, not that of the queue. */
const URGENT = { policy: { priority: 100 } };
const SUBMIT_EVERY_MS = 20;
const STATUS_EVERY_MS = 10;

/** How long a client waits while every slot is busy and thousands of tasks wait. */
export const loadLatency: Bench = {
  name: 'load-latency',
  what: 'submit, status and start delay with all slots busy and 10,000 waiting',
  run: (context) => withLoadClient((client) => withLoadClient((other) => measure(context, client, other))),
};

interface Round {
  submit: number[];
  status: number[];
  start: number[];
  /** How long a slot was free between two tasks, on average, in milliseconds. */
  turnaround: number;
}

async function measure(context: BenchContext, client: LoadClient, other: LoadClient): Promise<Figure[]> {
  const waiting = context.pick(10_000, 1000);
  const seconds = context.pick(8, 2);
  const stamp = stampProgram(context.scratch());
  const daemon = await context.startDaemon({ flags: ['--max-running-tasks', `${SLOTS}`] });
  const rounds: Round[] = [];
  for (let round = 1; round <= context.rounds; round++) {
    context.progress(`round ${round} of ${context.rounds}`);
    // What the round uses up comes on top.
    await fillQueue(daemon, FILLERS, waiting + seconds * 160);
    const known = await oneTask(daemon);
    const [ended, began] = [await successes(daemon), performance.now()];
    const [submits, statuses, start] = await Promise.all([
      client.run({
        kind: 'send',
        port: daemon.port,
        connections: 4,
        count: (seconds * 1000) / SUBMIT_EVERY_MS,
        everyMs: SUBMIT_EVERY_MS,
        requests: FILLERS.map((task) => ({
          method: 'POST',
          path: '/api/v1/tasks',
          body: JSON.stringify(task),
        })),
      }),
      other.run({
        kind: 'send',
        port: daemon.port,
        connections: 4,
        count: (seconds * 1000) / STATUS_EVERY_MS,
        everyMs: STATUS_EVERY_MS,
        requests: [{ method: 'GET', path: `/api/v1/tasks/${known}` }],
      }),
      startDelays(daemon, stamp, seconds * 1000),
    ]);
    const slotMs = SLOTS * (performance.now() - began);
    const tasks = (await successes(daemon)) - ended;
    // Urgent tasks take no time of their own that counts.
    const turnaround = (slotMs - (tasks - start.length) * FILLER_MS) / tasks;
    rounds.push({ submit: submits.latencies, status: statuses.latencies, start, turnaround });
  }
  const meaning = `${SLOTS} slots with tasks of 0.1 s on average, ${waiting} waiting; ${1000 / SUBMIT_EVERY_MS} submits and ${1000 / STATUS_EVERY_MS} status reads a second`;
  const figure = (name: string, of: 'submit' | 'status' | 'start', share: number): Figure => ({
    name,
    meaning,
    unit: 'ms',
    rounds: rounds.map((round) => quantile(round[of], share)),
  });
  return [
    figure('submit under load, p50', 'submit', 0.5),
    figure('submit under load, p99', 'submit', 0.99),
    figure('status under load, p50', 'status', 0.5),
    figure('status under load, p99', 'status', 0.99),
    figure('start delay under load, p50', 'start', 0.5),
    figure('start delay under load, p99', 'start', 0.99),
    {
      name: 'slot from one task to the next',
      meaning: `${meaning}; what a slot spends on a task beyond that, spawn and exit included, on average`,
      unit: 'ms',
      rounds: rounds.map(({ turnaround }) => turnaround),
    },
  ];
}

/** From before an urgent submit is written until its program reads the clock, one task after another, for so long. */
async function startDelays(daemon: BenchDaemon, stamp: Stamp, forMs: number): Promise<number[]> {
  const now = wallClock();
  const connection = await Connection.open(daemon.port);
  const body = JSON.stringify({ execution: stamp.execution(0), ...URGENT });
  const delays: number[] = [];
  try {
    const until = now() + forMs;
    while (now() < until) {
      const submittedAt = now();
      const submitted = await connection.send(requestBytes('POST', '/api/v1/tasks', body));
      const { task_id } = JSON.parse(submitted.toString()) as { task_id: string };
      const ended = await connection.send(requestBytes('GET', `/api/v1/tasks/${task_id}?wait_ms=10000`));
      const { stdout } = JSON.parse(ended.toString()) as { stdout: string };
      delays.push(stamp.parse(stdout).startedAt - submittedAt);
    }
  } finally {
    connection.close();
  }
  return delays;
}

/** The id of a task that waits at the end of the queue. */
async function oneTask(daemon: BenchDaemon): Promise<string> {
  const connection = await Connection.open(daemon.port);
  const body = JSON.stringify({ ...FILLERS[0], policy: { priority: -100 } });
  const answer = await connection.send(requestBytes('POST', '/api/v1/tasks', body));
  connection.close();
  return (JSON.parse(answer.toString()) as { task_id: string }).task_id;
}
