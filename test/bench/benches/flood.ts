import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { http } from '../../harness/http.js';
import { waitFor } from '../../harness/wait.js';
import type { Bench, BenchContext } from '../bench.js';
import type { BenchDaemon } from '../daemon.js';
import { type Figure, median } from '../figure.js';
import { type LoadClient, withLoadClient } from '../load/load-client.js';
import { submitTask } from '../load/one-task.js';
import { runTasks, TRUE } from '../load/run-tasks.js';
import { pssKb } from '../probes/pss.js';
import { bytesWritten } from '../probes/bytes-written.js';

const KEPT_BYTES = 4_194_304;
const YES = {
  execution: { kind: 'command', program: 'yes' },
  limits: { stdout_keep_bytes: KEPT_BYTES },
};
const MB = 1e6;
/** By then {@link KEPT_BYTES} are long passed. Milliseconds. */
const PAST_CAP_MS = 300;

/** A task that writes without end. */
export const flood: Bench = {
  name: 'flood',
  what: 'draining yes past its cap against yes | cat, memory, and a neighbour',
  run: (context) => withLoadClient((client) => measure(context, client)),
};

interface Round {
  daemonMbPerSecond: number;
  catMbPerSecond: number;
  grownMb: number;
  besideDaemonMs: number;
  besideCatMs: number;
}

async function measure(context: BenchContext, client: LoadClient): Promise<Figure[]> {
  const daemon = await context.startDaemon();
  await runTasks(client, daemon, { task: TRUE, count: context.pick(500, 100) });
  const forMs = context.pick(3000, 500);
  const neighbours = context.pick(100, 20);
  const rounds: Round[] = [];
  for (let round = 1; round <= context.rounds; round++) {
    context.progress(`round ${round} of ${context.rounds}`);
    const cat = await besideCat(client, daemon, forMs, neighbours);
    rounds.push({ ...cat, ...(await besideFlood(client, daemon, forMs, neighbours)) });
  }
  return figures(rounds);
}

/** Megabytes a second that `yes` gets rid of, then how long its neighbours take; the same for both. */
async function observe(
  client: LoadClient,
  daemon: BenchDaemon,
  yes: number,
  forMs: number,
  neighbours: number,
) {
  await delay(PAST_CAP_MS);
  const [before, began] = [bytesWritten(yes), performance.now()];
  await delay(forMs);
  const mbPerSecond = (bytesWritten(yes) - before) / MB / ((performance.now() - began) / 1000);
  const load = { task: TRUE, count: neighbours, connections: 1, closedLoop: true };
  const { latencies } = await runTasks(client, daemon, load);
  return { mbPerSecond, neighbourMs: median(latencies) };
}

async function besideCat(client: LoadClient, daemon: BenchDaemon, forMs: number, neighbours: number) {
  const { pid, end } = await yesIntoCat();
  try {
    const { mbPerSecond, neighbourMs } = await observe(client, daemon, pid, forMs, neighbours);
    return { catMbPerSecond: mbPerSecond, besideCatMs: neighbourMs };
  } finally {
    await end();
  }
}

async function besideFlood(client: LoadClient, daemon: BenchDaemon, forMs: number, neighbours: number) {
  const memory = () => pssKb([daemon.pid, daemon.supervisorPid]) / 1000;
  const before = memory();
  const id = await submitTask(daemon, YES);
  try {
    const pid = await waitFor(
      async () => (await http(daemon.url).get<{ pid?: number }>(`/api/v1/tasks/${id}`)).body.pid,
    );
    const { mbPerSecond, neighbourMs } = await observe(client, daemon, pid, forMs, neighbours);
    return { daemonMbPerSecond: mbPerSecond, besideDaemonMs: neighbourMs, grownMb: memory() - before };
  } finally {
    await http(daemon.url).post(`/api/v1/tasks/${id}/kill`);
    await http(daemon.url).get(`/api/v1/tasks/${id}?wait_ms=60000`);
  }
}

/** `yes | cat > /dev/null`, and the pid of yes. */
async function yesIntoCat(): Promise<{ pid: number; end: () => Promise<void> }> {
  const child: ChildProcess = spawn('sh', ['-c', "sh -c 'echo $$ >&2; exec yes' | cat >/dev/null"], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [told] = (await once(child.stderr!, 'data')) as [Buffer];
  const pid = Number(told.toString());
  return {
    pid,
    end: async () => {
      const exited = once(child, 'exit');
      process.kill(pid, 'SIGKILL');
      await exited;
    },
  };
}

function figures(rounds: Round[]): Figure[] {
  const of = (name: keyof Round) => rounds.map((round) => round[name]);
  return [
    {
      name: 'draining a flood past the cap',
      meaning: 'what yes gets rid of as a task, by its own count',
      unit: 'MB/s',
      rounds: of('daemonMbPerSecond'),
      reference: { name: 'yes piped to cat >/dev/null', unit: 'MB/s', rounds: of('catMbPerSecond') },
      budget: { of: 'ratio', at_least: 0.3 },
    },
    {
      name: 'memory grown in a flood',
      meaning: 'daemon and supervisor, after against before, the neighbours included',
      unit: 'MB',
      rounds: of('grownMb'),
      budget: { of: 'value', at_most: 32 },
    },
    {
      name: 'neighbour of a flood',
      meaning: 'submit to answered end of /bin/true, one after another, median of a round',
      unit: 'ms',
      rounds: of('besideDaemonMs'),
      reference: { name: 'beside yes piped to cat', unit: 'ms', rounds: of('besideCatMs') },
      budget: { of: 'ratio', at_most: 1.5 },
    },
  ];
}
