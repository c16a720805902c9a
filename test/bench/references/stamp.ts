import { compileC } from './compile.js';

/** A program that tells when it began and when it ended. */
export interface Stamp {
  /** The `execution` of a task that runs it for so many milliseconds. */
  execution: (runMs: number) => object;
  /** What it wrote → readings of the wall clock, in milliseconds. */
  parse: (stdout: string) => { startedAt: number; endedAt: number };
}

const SHELL = 'date +%s%N; sleep "$1"; date +%s%N';

/** @param dir where the C program is compiled to; without a C compiler a slower shell script does the same */
export function stampProgram(dir: string): Stamp {
  const program = compileC('stamp', dir);
  return {
    execution: (runMs) =>
      program === undefined
        ? { kind: 'command', program: 'sh', args: ['-c', SHELL, 'sh', `${runMs / 1000}`] }
        : { kind: 'command', program, args: [`${runMs}`] },
    parse: (stdout) => {
      const [first = '', second = ''] = stdout.split('\n');
      return { startedAt: milliseconds(first), endedAt: milliseconds(second) };
    },
  };
}

/** A double holds today's time to a quarter of a microsecond. */
function milliseconds(nanoseconds: string): number {
  if (!/^\d{19}$/.test(nanoseconds)) throw new Error(`the program wrote no time but "${nanoseconds}"`);
  return Number(nanoseconds) / 1e6;
}
