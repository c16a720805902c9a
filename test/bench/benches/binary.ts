import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { BINARY, buildBinary } from '../../binary/built.js';
import { EXECUTABLE } from '../../harness/executable.js';
import type { Bench, BenchContext } from '../bench.js';
import type { BenchDaemonOptions } from '../daemon.js';
import type { Figure } from '../figure.js';
import { submitTask } from '../load/one-task.js';
import { TRUE } from '../load/run-tasks.js';
import { pssKb } from '../probes/pss.js';
import { programMs } from '../references/program-ms.js';

type Program = readonly [file: string, ...args: string[]];

/** After the start, until memory is looked at, in milliseconds; in quick mode a tenth of it. */
const SETTLE_MS = 2000;

/** What the one executable costs that has Node inside, against the same program as files beside a Node. */
export const binary: Bench = {
  name: 'binary',
  what: 'the one executable against node dist/…: start-up and memory',
  async run(context) {
    context.progress('making the one executable');
    buildBinary();
    const dir = context.scratch();
    // A Node of its own: the memory of one that other processes run, too, is shared with them.
    const node = join(dir, 'node');
    copyFileSync(process.execPath, node);
    const alone: Program = [join(dir, 'execgo')];
    copyFileSync(BINARY, alone[0]);
    const files: Program = [node, EXECUTABLE];
    // A start after the first: the native modules are unpacked already.
    const env = { XDG_CACHE_HOME: context.scratch() };
    const first = await context.startDaemon({ program: alone, env });
    await first.end();
    return [...(await daemons(context, alone, files, env)), await status(context, alone, node, env)];
  },
};

async function daemons(
  context: BenchContext,
  alone: Program,
  files: Program,
  env: Record<string, string>,
): Promise<Figure[]> {
  const of = { alone: measurements(), files: measurements() };
  for (let round = 0; round < context.rounds; round++) {
    context.progress(`round ${round + 1}: two daemons in turn`);
    await measure(context, { program: alone, env }, of.alone);
    await measure(context, { program: files, env }, of.files);
  }
  const { alone: one, files: other } = of;
  return [
    {
      name: 'start of the daemon',
      meaning: 'from the spawn of the one executable until it listens, over an empty data directory',
      unit: 'ms',
      rounds: one.startMs,
      reference: { name: 'node dist/…', unit: 'ms', rounds: other.startMs },
      budget: { of: 'ratio', at_most: 1.2 },
    },
    {
      name: 'idle, one executable',
      meaning: 'PSS of daemon and supervisor; the reference with a Node that nobody else runs',
      unit: 'MB',
      rounds: one.idleMb,
      reference: { name: 'node dist/…', unit: 'MB', rounds: other.idleMb },
      budget: { of: 'value', at_most: 100 },
    },
  ];
}

const measurements = () => ({ startMs: [] as number[], idleMb: [] as number[] });

async function measure(
  { startDaemon, pick }: BenchContext,
  options: BenchDaemonOptions,
  into: ReturnType<typeof measurements>,
): Promise<void> {
  const daemon = await startDaemon(options);
  into.startMs.push(daemon.startMs);
  await delay(pick(SETTLE_MS, SETTLE_MS / 10));
  into.idleMb.push(pssKb([daemon.pid, daemon.supervisorPid]) / 1000);
  await daemon.end();
}

async function status(
  { startDaemon, pick }: BenchContext,
  [file]: Program,
  node: string,
  variables: Record<string, string>,
): Promise<Figure> {
  const daemon = await startDaemon({ program: [file], env: variables });
  const env = { ...process.env, ...variables, EXECGO_RUNTIME_URL: daemon.url };
  const args = ['status', await submitTask(daemon, TRUE)];
  const bare: number[] = [];
  const rounds: number[] = [];
  // As many as it takes for a good median of something so short, whatever the number of rounds.
  for (let round = 0; round < pick(40, 8); round++) {
    bare.push(await programMs(node, ['-e', '0'], env));
    rounds.push(await programMs(file, args, env));
  }
  await daemon.end();
  return {
    name: 'execgo status, one executable',
    meaning: 'from the spawn until it has ended and closed its output',
    unit: 'ms',
    rounds,
    reference: { name: 'node -e 0', unit: 'ms', rounds: bare },
    budget: { of: 'ratio', at_most: 1.5 },
  };
}
