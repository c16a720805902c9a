import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { TEST_PREFIX } from '../harness/run-dir.js';
import type { Bench, BenchContext } from './bench.js';
import { type BenchDaemon, startBenchDaemon } from './daemon.js';
import { assess, type Figure } from './figure.js';
import { describeMachine } from './machine.js';
import type { Report } from './report.js';

export interface RunOptions {
  rounds: number;
  quick: boolean;
  /** Existing directory under which the data directories are made and, at the very end, deleted. */
  dir: string;
  progress: (text: string) => void;
  /** Ends the run after what has to be cleaned up. */
  interruption: AbortSignal;
}

/**
 * Runs the benches one after another. One that throws is reported with its message, and the others go on.
 * @throws Error when it was interrupted
 */
export async function runBenches(benches: readonly Bench[], options: RunOptions): Promise<Report> {
  const began = performance.now();
  const date = new Date().toISOString();
  const machine = describeMachine(options.dir);
  const root = mkdtempSync(join(realpathSync(options.dir), TEST_PREFIX));
  try {
    const results: Report['benches'] = [];
    for (const bench of benches) {
      results.push(await runBench(bench, root, options));
      options.interruption.throwIfAborted();
    }
    return {
      date,
      machine,
      quick: options.quick,
      rounds: options.rounds,
      seconds: (performance.now() - began) / 1000,
      benches: results,
    };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

let scratchDirs = 0;

async function runBench(bench: Bench, root: string, options: RunOptions): Promise<Report['benches'][number]> {
  const { rounds, quick } = options;
  const daemons: BenchDaemon[] = [];
  const scratch = () => {
    const dir = join(root, String(++scratchDirs));
    mkdirSync(dir);
    return dir;
  };
  const progress = (text: string) => options.progress(`${bench.name}: ${text}`);
  const context: BenchContext = {
    rounds,
    quick,
    pick: (full, rough) => (quick ? rough : full),
    scratch,
    progress,
    startDaemon: async (daemonOptions) => {
      const daemon = await startBenchDaemon(scratch(), daemonOptions);
      daemons.push(daemon);
      return daemon;
    },
  };
  progress(bench.what);
  const problems: string[] = [];
  let figures: Figure[] = [];
  try {
    figures = await Promise.race([bench.run(context), aborted(options.interruption)]);
  } catch (error) {
    problems.push(message(error));
  }
  for (const daemon of daemons)
    await daemon.end().catch((error: unknown) => void problems.push(message(error)));
  return {
    name: bench.name,
    figures: figures.map(assess),
    ...(problems.length > 0 && { error: problems.join('; ') }),
  };
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

function message(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message} (${message(error.cause)})`;
}
