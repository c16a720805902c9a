import { carryAll, carryOdd, unusedPrefix, type PackedEnvironment } from './carriers.js';
import { directories, procsFile } from '../cgroup/cgroup.js';
import { ENTER_DIRECTORY, FAIL, JOIN, LIMIT, NEXT, RUN, unpack } from './chain-texts.js';
import type { CgroupSpec, ChainSpec } from '../launch.js';
import { checkProgram, keepProgram } from '../program-check.js';
import { requireTool, SHELL } from '../process/tools.js';

/** Path of env(1) in a root file system. */
const ENV_INSIDE = '/usr/bin/env';

/** The program at the end of a chain. */
export interface ChainedProgram {
  argv: readonly string[];
  /** The program's whole environment. */
  env: Readonly<Record<string, string>>;
  /** The directory it starts in; absolute, and in the new root if there is one. */
  cwd: string;
}

/** The command to spawn, with descriptor 3 as the write end of a pipe. */
export interface ChainLaunch {
  argv: string[];
  env: Readonly<Record<string, string>>;
  cwd: string;
}

/**
 * The launch chain: a row of exec's that joins the cgroups, goes through the wrappers, becomes another user, sets limits,
 * enters the directory and ends in the program, which so keeps the pid that was spawned. README.md in this directory says
 * who controls what at each step.
 * @throws Error for people when a tool is needed that is not installed, or a variable cannot be set
 */
export function chainLaunch(
  chain: ChainSpec,
  cgroup: CgroupSpec | undefined,
  program: ChainedProgram,
): ChainLaunch {
  const switches = chain.become !== undefined;
  const packed = switches && chain.shell !== false ? carryAll(program.env) : carryOdd(program.env);
  const join = [...procsFiles(cgroup), '--'];
  const late = switches || chain.chroot !== undefined;
  const last =
    chain.chroot === undefined ? hostEnd(chain, packed, program) : chrootEnd(chain, packed, program);
  const before = [...chain.wrappers, ...(chain.become === undefined ? [] : [chain.become])];
  const spawned = { env: packed.env, cwd: late ? '/' : program.cwd };
  if (before.length === 0)
    return { ...spawned, argv: shell([FAIL, JOIN, ...last.texts], [...join, ...last.args]) };
  const enter = join.length === 1 ? [] : shell([FAIL, JOIN, NEXT], join);
  return { ...spawned, argv: [...enter, ...before.flat(), ...shell([FAIL, ...last.texts], last.args)] };
}

/** The last shell of a chain, without what all of them begin with. */
interface LastShell {
  texts: string[];
  args: readonly string[];
}

function hostEnd(chain: ChainSpec, packed: PackedEnvironment, program: ChainedProgram): LastShell {
  const switches = chain.become !== undefined;
  const end = throughEnv(packed, program, switches);
  return {
    texts: [...(switches ? [ENTER_DIRECTORY] : []), LIMIT, ...end.texts],
    args: [...(switches ? [program.cwd, chain.make_cwd ?? ''] : []), ...limitArguments(chain), ...end.args],
  };
}

/**
 * The end of a chain into another root. The new root's own shell, which runs as the task's user, enters the directory and
 * sets the variables. If the root has none, chroot(1) runs the program itself, in `/`.
 */
function chrootEnd(chain: ChainSpec, packed: PackedEnvironment, program: ChainedProgram): LastShell {
  const { chroot = [] } = chain;
  if (chain.shell === false) {
    const end = checked(unusedPrefix(Object.keys(program.env)), set(packed, false), program.argv, chroot);
    return { texts: [LIMIT, ...end.texts], args: [...limitArguments(chain), ...end.args] };
  }
  const end = throughEnv(packed, program, chain.become !== undefined, ENV_INSIDE);
  const inside = shell([FAIL, ENTER_DIRECTORY, ...end.texts], [program.cwd, '', ...end.args]);
  return { texts: [LIMIT, NEXT], args: [...limitArguments(chain), ...chroot, ...inside] };
}

/** Sets the variables, through env(1) if a name is odd, and executes the program. */
function throughEnv(
  packed: PackedEnvironment,
  program: ChainedProgram,
  fixed: boolean,
  env?: string,
): LastShell {
  const args = programArguments(packed, program);
  const texts = set(packed, fixed, env);
  return packed.odd === 0 ? { texts: [...texts, RUN], args } : checked(packed.prefix, texts, args, []);
}

/**
 * Looks whether the program is there before another tool executes it.
 * @param chroot the command before the program, with the new root as its last word; or nothing
 */
function checked(
  prefix: string,
  texts: string[],
  argv: readonly string[],
  chroot: readonly string[],
): LastShell {
  return {
    texts: [keepProgram(prefix), ...texts, checkProgram(prefix), RUN],
    args: [chroot.at(-1) ?? '', argv[0] ?? '', ...chroot, ...argv],
  };
}

function set({ prefix, exported, odd }: PackedEnvironment, fixed: boolean, env?: string): string[] {
  return [unpack(prefix, exported, odd, fixed, env ?? (odd === 0 ? '' : requireTool('env')))];
}

/** env(1) would take a program with `=` in its name for a variable. */
function programArguments({ odd }: PackedEnvironment, { argv }: ChainedProgram): readonly string[] {
  if (odd > 0 && argv[0]?.includes('=') === true)
    throw new Error('a program with "=" in its name cannot be given variables with such names');
  return argv;
}

function shell(texts: string[], args: readonly string[]): string[] {
  return [SHELL, '-c', texts.join('\n'), 'execgo', ...args];
}

function procsFiles(cgroup: CgroupSpec | undefined): string[] {
  return cgroup === undefined ? [] : directories(cgroup).map(({ path }) => procsFile(path));
}

function limitArguments(chain: ChainSpec): string[] {
  const words = (chain.rlimits ?? []).map(({ option, or = option, soft, hard, what }) => [
    option,
    or,
    String(soft),
    String(hard),
    what,
  ]);
  return [...words.flat(), '--'];
}
