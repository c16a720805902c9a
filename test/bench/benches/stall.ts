import Database from 'better-sqlite3';
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { http } from '../../harness/http.js';
import { waitFor } from '../../harness/wait.js';
import type { Bench, BenchContext } from '../bench.js';
import type { BenchDaemon } from '../daemon.js';
import type { Figure } from '../figure.js';
import { type LoadClient, withLoadClient } from '../load/load-client.js';
import { endOf, shell, submitTask } from '../load/one-task.js';
import { metric, runTasks, TRUE } from '../load/run-tasks.js';
import { withReaders } from '../load/sse-reader.js';
import { watchEventLoop } from '../probes/event-loop.js';

const MIB = 1024 * 1024;
const INLINE_MAX_BYTES = 4 * MIB;
/** Above this length of the write-ahead log the daemon empties it by itself, within {@link GC_INTERVAL_MS}. */
const WAL_MAX_BYTES = 64 * MIB;
const GC_INTERVAL_MS = 500;
const BUDGET_MS = 50;

/** The longest turn of the daemon's event loop while it does what takes longest. */
export const stall: Bench = {
  name: 'stall',
  what: 'longest turn of the event loop in batches, floods, collections, checkpoints and long answers',
  run: (context) => withLoadClient((client) => measure(context, client)),
};

interface Phase {
  name: string;
  meaning: string;
  run: () => Promise<unknown>;
}

async function measure(context: BenchContext, client: LoadClient): Promise<Figure[]> {
  const dir = context.scratch();
  const watch = watchEventLoop(join(dir, 'daemon.json'));
  const bystander = watchEventLoop(join(dir, 'bystander.json'));
  const idle = idleProcess(bystander);
  try {
    const daemon = await context.startDaemon({
      flags: ['--max-running-tasks', '16', '--gc-interval-ms', `${GC_INTERVAL_MS}`],
      ...watch,
    });
    await runTasks(client, daemon, { task: TRUE, count: context.pick(1000, 100) });
    await watch.ask(daemon.pid);
    await bystander.ask(idle.pid!);
    const seen = phases(context, client, daemon).map((phase) => ({
      ...phase,
      loop: [] as number[],
      machine: [] as number[],
      collection: [] as number[],
    }));
    for (let round = 1; round <= context.rounds; round++) {
      for (const phase of seen) {
        context.progress(`round ${round} of ${context.rounds}: ${phase.name}`);
        await phase.run();
        const loop = await watch.ask(daemon.pid);
        phase.loop.push(loop.max_ms);
        phase.collection.push(loop.longest_collection_ms);
        phase.machine.push((await bystander.ask(idle.pid!)).max_ms);
      }
    }
    const worst = (of: 'loop' | 'machine' | 'collection') => Math.max(...seen.flatMap((phase) => phase[of]));
    const asMuch = (rounds: number[]) => ({ name: 'an idle Node process beside it', unit: 'ms', rounds });
    return [
      {
        name: 'longest turn of the event loop in all',
        meaning: 'of the daemon, over all rounds of all that follows, seen every 5 ms',
        unit: 'ms',
        rounds: [worst('loop')],
        reference: asMuch([worst('machine')]),
        budget: { of: 'value', at_most: BUDGET_MS },
      },
      ...seen.map(({ name, meaning, loop, machine }) => ({
        name,
        meaning,
        unit: 'ms',
        rounds: loop,
        reference: asMuch(machine),
      })),
      {
        name: 'longest pause for garbage collection',
        meaning: 'of JavaScript memory in the daemon, over all rounds',
        unit: 'ms',
        rounds: [worst('collection')],
      },
    ];
  } finally {
    idle.kill('SIGKILL');
  }
}

function phases({ pick }: BenchContext, client: LoadClient, daemon: BenchDaemon): Phase[] {
  const collect = () => http(daemon.url).post('/api/v1/gc', { older_than_ms: 0 });
  const batch = pick(1000, 100);
  const flood = pick(1024, 128) * MIB;
  return [
    {
      name: `a batch of ${batch}`,
      meaning: 'one request, until all of them have ended',
      run: () => runTasks(client, daemon, { task: TRUE, count: batch, batchOf: batch }),
    },
    {
      name: '20 readers of all events',
      meaning: `while ${batch} tasks run`,
      run: () =>
        withReaders(20, daemon.port, '/api/v1/events', () =>
          runTasks(client, daemon, { task: TRUE, count: batch }),
        ),
    },
    {
      name: `a flood of ${flood / MIB} MB with 2 followers`,
      meaning: 'of which 64 MB are kept and followed',
      run: async () => {
        const limits = { stdout_max_bytes: 64 * MIB };
        const id = await submitTask(daemon, shell(`yes | head -c ${flood}`, { limits }));
        await withReaders(2, daemon.port, `/api/v1/tasks/${id}/output/stream?stream=stdout`, () =>
          endOf(daemon, id),
        );
      },
    },
    {
      name: 'statuses with 4 MB of output',
      meaning: '40 reads of a task that was never read before, 4 at a time',
      run: async () => {
        const id = await submitTask(daemon, shell(`yes 'né "x"' | head -c ${INLINE_MAX_BYTES}`));
        await endOf(daemon, id);
        const requests = [{ method: 'GET', path: `/api/v1/tasks/${id}` }];
        await client.run({ kind: 'send', port: daemon.port, connections: 4, count: 40, requests });
      },
    },
    {
      name: 'a checkpoint of a long write-ahead log',
      meaning: 'grown past 64 MB under a reader from outside, emptied when that is gone',
      run: () => longLog(client, daemon, pick(WAL_MAX_BYTES, 0)),
    },
    {
      name: 'a collection of everything',
      meaning: 'POST /api/v1/gc while tasks go through',
      run: async () => {
        const [{ status, text }] = await Promise.all([
          collect(),
          runTasks(client, daemon, { task: TRUE, count: batch }),
        ]);
        if (status !== 200) throw new Error(`a collection was answered with ${status}: ${text}`);
      },
    },
  ];
}

/** Runs tasks beside an open view of the database until its log is longer than `bytes`, then waits until it was emptied. */
async function longLog(client: LoadClient, daemon: BenchDaemon, bytes: number): Promise<void> {
  const reader = new Database(join(daemon.dataDir, 'runtime.db'), { readonly: true });
  const walBytes = () => metric(daemon, 'execgo_runtime_wal_bytes');
  try {
    reader.exec('BEGIN');
    reader.prepare('SELECT count(*) FROM sqlite_schema').get();
    do {
      await runTasks(client, daemon, { task: TRUE, count: 100, batchOf: 100 });
    } while ((await walBytes()) <= bytes);
  } finally {
    reader.close();
  }
  if (bytes > 0) await waitFor(async () => (await walBytes()) < bytes, { what: 'the checkpoint' });
}

/** Does nothing but watch: what it sees, the machine does to everybody. */
function idleProcess({ nodeFlags, env }: { nodeFlags: string[]; env: Record<string, string> }): ChildProcess {
  return spawn(process.execPath, [...nodeFlags, '-e', 'setInterval(() => {}, 1e6)'], {
    env: { ...process.env, ...env },
    stdio: 'ignore',
  });
}
