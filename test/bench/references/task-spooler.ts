import { join } from 'node:path';
import { onPath } from './on-path.js';
import { runProgram } from './run-program.js';

/** Submits one after another, as its client does it, then waits for the end of the last. */
const SUBMIT_ALL = 'i=0; while [ $i -lt "$1" ]; do tsp /bin/true >/dev/null; i=$((i+1)); done; tsp -w';

/**
 * task-spooler, which keeps its queue in the memory of its server: `tasks` times /bin/true, four at once.
 * @param dir empty, for its socket and the outputs
 * @returns tasks a second; undefined where it is not installed
 */
export async function taskSpooler(dir: string, tasks: number): Promise<number | undefined> {
  if (!onPath('tsp')) return undefined;
  const env = {
    ...process.env,
    TS_SOCKET: join(dir, 'socket'),
    TMPDIR: dir,
    TS_MAXFINISHED: `${2 * tasks}`,
  };
  await runProgram('tsp', ['-S', '4'], { env });
  try {
    const began = performance.now();
    await runProgram('sh', ['-c', SUBMIT_ALL, 'sh', `${tasks}`], { env });
    return (tasks / (performance.now() - began)) * 1000;
  } finally {
    await runProgram('tsp', ['-K'], { env });
  }
}
