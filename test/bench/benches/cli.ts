import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXECUTABLE } from '../../harness/executable.js';
import type { Bench } from '../bench.js';
import { submitTask } from '../load/one-task.js';
import { TRUE } from '../load/run-tasks.js';
import { programMs } from '../references/program-ms.js';
import { runProgram } from '../references/run-program.js';

/** How long a command that only asks the daemon takes, against Node doing nothing. */
export const cli: Bench = {
  name: 'cli',
  what: 'execgo status against node -e 0',
  async run({ pick, progress, scratch, startDaemon }) {
    const daemon = await startDaemon();
    const env = { ...process.env, EXECGO_RUNTIME_URL: daemon.url };
    const status = [EXECUTABLE, 'status', await submitTask(daemon, TRUE)];
    const bare: number[] = [];
    const rounds: number[] = [];
    // As many as it takes for a good median of something so short, whatever the number of rounds.
    for (let round = 0; round < pick(40, 8); round++) {
      bare.push(await programMs(process.execPath, ['-e', '0'], env));
      rounds.push(await programMs(process.execPath, status, env));
    }
    const loaded = await filesLoaded(status, env, scratch());
    progress(`execgo status loads ${loaded.map((url) => url.slice(url.lastIndexOf('/') + 1)).join(' ')}`);
    return [
      {
        name: 'execgo status',
        meaning: 'from the spawn until it has ended and closed its output',
        unit: 'ms',
        rounds,
        reference: { name: 'node -e 0', unit: 'ms', rounds: bare },
        budget: { of: 'ratio', at_most: 1.6 },
      },
      {
        name: 'files that execgo status loads',
        meaning: 'JavaScript files, as the coverage of Node tells them',
        unit: 'files',
        rounds: [loaded.length],
      },
    ];
  },
};

/** URLs of the scripts that a Node program loads. @param dir empty, for the coverage */
async function filesLoaded(args: readonly string[], env: NodeJS.ProcessEnv, dir: string): Promise<string[]> {
  const coverage = join(dir, 'coverage');
  mkdirSync(coverage);
  await runProgram(process.execPath, args, { env: { ...env, NODE_V8_COVERAGE: coverage } });
  return readdirSync(coverage)
    .flatMap(
      (name) =>
        (JSON.parse(readFileSync(join(coverage, name), 'utf8')) as { result: { url: string }[] }).result,
    )
    .map(({ url }) => url)
    .filter((url) => url.startsWith('file:'));
}
