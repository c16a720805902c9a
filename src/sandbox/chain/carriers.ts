/**
 * Whatever of the launch chain runs before the switch of user, or is a shell, must not see the task's variables by their
 * names: the C library and the tools read some, and shells lose or change others. So they travel as values of inert
 * variables, `NAME=value` each, and are set at the end by a shell that is the task's user already. They never stand on a
 * command line; the environment of a process can be read by its own user and by root only.
 */
export interface PackedEnvironment {
  /** What the chain is spawned with. */
  env: Readonly<Record<string, string>>;
  /** What the names of the carriers begin with; no variable of the task does. */
  prefix: string;
  /** How many carriers a shell exports. */
  exported: number;
  /** How many follow that no shell can set as they are: they go through env(1). */
  odd: number;
}

/**
 * What runs with the daemon's rights is given this and nothing of the task's: not even a PATH, because every tool is called by
 * its absolute path. Messages of tools are read in English.
 */
const FIXED = { LC_ALL: 'C' };
/** Set by the daemon itself, to values without meaning for any tool; processes are found again by the second. */
const OURS = ['EXECGO_TASK_ID', 'EXECGO_LAUNCH'];
/** What a root file system without a shell can be given as it is, because no tool on the way acts on it. */
const INERT = ['PATH', 'HOME', 'USER', ...OURS];

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Variables that dash, busybox ash or bash set, count, check or refuse themselves. */
const SHELLS_OWN =
  /^(BASH.*|COMP_.*|EPOCH.*|PS[0-4]|_|IFS|OPTIND|OPTARG|OPTERR|PPID|UID|EUID|GROUPS|PWD|OLDPWD|LINENO|RANDOM|SRANDOM|SECONDS|FUNCNAME|FUNCNEST|DIRSTACK|PIPESTATUS|SHELLOPTS|SHLVL|HISTCMD|ENV|EXECIGNORE|POSIXLY_CORRECT)$/;

/** One string of an environment has 128 KiB at most. A longer carrier is cut in two, each well below. */
const WHOLE_CHARACTERS = 32_768;

/** Nothing of the task's is seen before a shell sets it. */
export function carryAll(env: Readonly<Record<string, string>>): PackedEnvironment {
  const ours = OURS.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]] as const]));
  const rest = Object.entries(env).filter(([name]) => !OURS.includes(name));
  return pack({ ...FIXED, ...Object.fromEntries(ours) }, rest, Object.keys(env));
}

/** Everything is as it is, but for what a shell on the way would lose or change. */
export function carryOdd(env: Readonly<Record<string, string>>): PackedEnvironment {
  const entries = Object.entries(env);
  const odd = entries.filter(([name]) => isOdd(name));
  if (odd.length === 0) return { env, prefix: '', exported: 0, odd: 0 };
  return pack(Object.fromEntries(entries.filter(([name]) => !isOdd(name))), odd, Object.keys(env));
}

/** @returns the names that cannot be set where no shell comes between the switch of user and the program. */
export function needShell(env: Readonly<Record<string, string>>): string[] {
  return Object.keys(env).filter((name) => !INERT.includes(name));
}

/** @returns what none of the names begins with. */
export function unusedPrefix(names: readonly string[]): string {
  let prefix = 'EXECGO_ENV_';
  while (names.some((name) => name.startsWith(prefix))) prefix += '_';
  return prefix;
}

function pack(
  env: Record<string, string>,
  entries: [string, string][],
  taken: readonly string[],
): PackedEnvironment {
  const prefix = unusedPrefix(taken);
  const odd = entries.filter(([name]) => isOdd(name));
  const plain = entries.filter(([name]) => !isOdd(name));
  const carriers = [...plain, ...odd].flatMap(([name, value], n) =>
    carrier(`${prefix}${n}`, `${name}=${value}`),
  );
  return {
    env: { ...env, ...Object.fromEntries(carriers) },
    prefix,
    exported: plain.length,
    odd: odd.length,
  };
}

/** Names that no shell passes on as they are: dash and busybox drop what is no identifier. */
function isOdd(name: string): boolean {
  return !IDENTIFIER.test(name) || SHELLS_OWN.test(name);
}

function carrier(name: string, text: string): [string, string][] {
  if (text.length <= WHOLE_CHARACTERS) return [[name, text]];
  // Half of the characters are at most three quarters of the bytes; a pair that makes one character stays together.
  const half = text.length >> 1;
  const cut = (text.codePointAt(half - 1) ?? 0) > 0xffff ? half + 1 : half;
  return [
    [name, text.slice(0, cut)],
    [`${name}_`, text.slice(cut)],
  ];
}
