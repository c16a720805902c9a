import { runProgram } from './run-program.js';

/** Milliseconds from the spawn of a program until it has ended and closed its output. @throws Error unless it exits with 0 */
export async function programMs(
  file: string,
  args: readonly string[],
  env?: NodeJS.ProcessEnv,
): Promise<number> {
  const began = performance.now();
  await runProgram(file, args, env === undefined ? {} : { env });
  return performance.now() - began;
}
