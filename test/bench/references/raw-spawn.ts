import { fileURLToPath } from 'node:url';
import { compileC } from './compile.js';
import { runProgram } from './run-program.js';

const KOFFI_LOOP = fileURLToPath(new URL('koffi-process.ts', import.meta.url));

/** What this machine can do at best: `posix_spawn` and `wait` of /bin/true, and nothing else. */
export interface RawSpawn {
  /** `C`, or `koffi` where there is no C compiler. */
  language: string;
  /** @returns /bin/true a second, so many at once */
  perSecond: (tasks: number, inFlight: number) => Promise<number>;
}

/** @param dir where the C program is compiled to */
export function rawSpawn(dir: string): RawSpawn {
  const program = compileC('spawn-loop', dir);
  if (program === undefined) return koffiSpawn();
  return {
    language: 'C',
    perSecond: async (tasks, inFlight) =>
      tasks / Number(await runProgram(program, [`${tasks}`, `${inFlight}`])),
  };
}

/** The same through koffi, from a Node process of its own. */
export function koffiSpawn(): RawSpawn {
  return {
    language: 'koffi',
    perSecond: async (tasks, inFlight) => {
      const args = [...process.execArgv, KOFFI_LOOP, `${tasks}`, `${inFlight}`];
      return tasks / Number(await runProgram(process.execPath, args));
    },
  };
}
