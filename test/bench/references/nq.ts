import { onPath } from './on-path.js';
import { runProgram } from './run-program.js';

const SUBMIT_ALL = 'i=0; while [ $i -lt "$1" ]; do nq -q /bin/true; i=$((i+1)); done; nq -w';

/**
 * nq, whose queue is a folder of files and runs one at a time: `tasks` times /bin/true.
 * @param dir empty, for its files
 * @returns tasks a second; undefined where it is not installed
 */
export async function nq(dir: string, tasks: number): Promise<number | undefined> {
  if (!onPath('nq')) return undefined;
  const began = performance.now();
  await runProgram('sh', ['-c', SUBMIT_ALL, 'sh', `${tasks}`], { env: { ...process.env, NQDIR: dir } });
  return (tasks / (performance.now() - began)) * 1000;
}
