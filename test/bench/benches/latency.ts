import { setTimeout as delay } from 'node:timers/promises';
import type { Bench } from '../bench.js';
import type { BenchDaemon } from '../daemon.js';
import { type Figure, median } from '../figure.js';
import { type Request } from '../load/job.js';
import { Connection, requestBytes } from '../load/connection.js';
import { wallClock } from '../probes/wall-clock.js';
import { durableCommitMs } from '../references/commit.js';
import { rawSpawn } from '../references/raw-spawn.js';
import { type Stamp, stampProgram } from '../references/stamp.js';

/** The task still runs when the client begins to wait for it. Milliseconds. */
const RUN_MS = 30;
/** Between two tasks, so that each finds the daemon idle. Milliseconds. */
const PAUSE_MS = 10;
/** What the answer to a waiting client may take beyond the commit, in milliseconds. */
const ANSWER_MS = 3;

/** How long one task takes to start, and to be told, when nothing else is going on. */
export const latency: Bench = {
  name: 'latency',
  what: 'submit to process started, and exit to answer, on an idle daemon',
  async run(context) {
    const { pick, scratch } = context;
    const raw = rawSpawn(scratch());
    const stamp = stampProgram(scratch());
    const disk = scratch();
    const daemon = await context.startDaemon();
    const rounds: { start: number; answer: number; spawn: number; commit: number }[] = [];
    await oneRound(daemon, stamp, pick(20, 5));
    for (let round = 1; round <= context.rounds; round++) {
      context.progress(`round ${round} of ${context.rounds}`);
      const spawn = 1000 / (await raw.perSecond(pick(500, 200), 1));
      const commit = durableCommitMs(disk);
      rounds.push({ spawn, commit, ...(await oneRound(daemon, stamp, pick(60, 15))) });
    }
    return figures(rounds);
  },
};

/** Medians of `count` tasks, one after another. */
async function oneRound(daemon: BenchDaemon, stamp: Stamp, count: number) {
  const connection = await Connection.open(daemon.port);
  const send = async ({ method, path, body }: Request) =>
    JSON.parse((await connection.send(requestBytes(method, path, body))).toString()) as Record<
      string,
      string
    >;
  const now = wallClock();
  const body = JSON.stringify({ execution: stamp.execution(RUN_MS) });
  const starts: number[] = [];
  const answers: number[] = [];
  try {
    for (let i = 0; i < count; i++) {
      await delay(PAUSE_MS);
      const submittedAt = now();
      const { task_id } = await send({ method: 'POST', path: '/api/v1/tasks', body });
      const status = await send({ method: 'GET', path: `/api/v1/tasks/${task_id}?wait_ms=10000` });
      const answeredAt = now();
      const { startedAt, endedAt } = stamp.parse(status['stdout']!);
      starts.push(startedAt - submittedAt);
      answers.push(answeredAt - endedAt);
    }
  } finally {
    connection.close();
  }
  return { start: median(starts), answer: median(answers) };
}

function figures(rounds: { start: number; answer: number; spawn: number; commit: number }[]): Figure[] {
  return [
    {
      name: 'submit to process started',
      meaning:
        'from before the request is written until the program itself reads the clock, median of a round',
      unit: 'ms',
      rounds: rounds.map((r) => r.start),
      reference: {
        name: '4 raw spawns + 2 commits',
        unit: 'ms',
        rounds: rounds.map((r) => 4 * r.spawn + 2 * r.commit),
      },
      budget: { of: 'ratio', at_most: 1 },
    },
    {
      name: 'exit to waiting client answered',
      meaning: 'from the last thing the program does until the answer is read, median of a round',
      unit: 'ms',
      rounds: rounds.map((r) => r.answer),
      reference: {
        name: `${ANSWER_MS} ms + 1 commit`,
        unit: 'ms',
        rounds: rounds.map((r) => ANSWER_MS + r.commit),
      },
      budget: { of: 'ratio', at_most: 1 },
    },
    {
      name: 'one raw spawn and wait',
      meaning: 'posix_spawn of /bin/true, one at a time',
      unit: 'ms',
      rounds: rounds.map((r) => r.spawn),
    },
    {
      name: 'one durable commit',
      meaning: 'SQLite, write-ahead log, synchronous=FULL, a small row',
      unit: 'ms',
      rounds: rounds.map((r) => r.commit),
    },
  ];
}
