/** `<tasks> <in flight>`: as spawn-loop.c, called from Node through koffi. Prints the seconds it took. */
import koffi from 'koffi';
import { hrtime } from 'node:process';

type Call = (...args: unknown[]) => number;

const [tasks = 0, inFlight = 1] = process.argv.slice(2).map(Number);
const libc = koffi.load(null);
const posixSpawn = libc.func(
  'int posix_spawn(void *pid, const char *path, void *actions, void *attributes, const char **argv, const char **envp)',
) as Call;
const wait = libc.func('int wait(void *status)') as Call;
const pid = Buffer.alloc(4);
const environment = [...Object.entries(process.env).map(([name, value]) => `${name}=${value}`), null];
const program = ['/bin/true', null];

const began = hrtime.bigint();
let started = 0;
for (let ended = 0; ended < tasks; ended++) {
  for (; started < tasks && started - ended < inFlight; started++) {
    if (posixSpawn(pid, program[0], null, null, program, environment) !== 0)
      throw new Error('posix_spawn failed');
  }
  if (wait(null) < 0) throw new Error('wait failed');
}
process.stdout.write(`${Number(hrtime.bigint() - began) / 1e9}\n`);
