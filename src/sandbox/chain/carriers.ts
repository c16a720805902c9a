/**
 * The task's variables on their way through the launch chain. Everything in the chain that runs before the switch of user,
 * or is a shell, must not see them by name: the C library and the tools act on some, and shells lose or change others. So
 * they travel as the values of variables that mean nothing to anybody (the carriers), each `NAME=value`, and a shell that
 * runs as the task's user sets them at the end. They are never on a command line, which everybody can read; the environment
 * of a process can be read only by its own user and root.
 */
export interface PackedEnvironment {
  /** The environment that the chain is started with. */
  env: Readonly<Record<string, string>>;
  /** The prefix of the carriers' names; no variable of the task begins with it. */
  prefix: string;
  /** How many carriers hold variables that a shell can set. */
  exported: number;
  /** How many more hold variables that a shell cannot set, so that env(1) has to. */
  odd: number;
}

/**
 * The environment of tools that run with the daemon's rights: none of the task's variables, not even PATH, because every
 * tool is called by its absolute path. Their messages are parsed in English.
 */
const FIXED = { LC_ALL: 'C' };
/** Set by the daemon itself, and without meaning for any tool; an attempt's processes are found by the second. */
const OURS = [
  ...['EXECGO_TASK_ID', 'EXECGO_LAUNCH', 'EXECGO_ATTEMPT'],
  ...['EXECGO_TASK_SOCKET', 'EXECGO_TASK_TOKEN'],
];
/** Variables that can be passed by name in a root file system without a shell, because no tool in the chain acts on them. */
const INERT = ['PATH', 'HOME', 'USER', ...OURS];

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Variables that dash, busybox ash or bash set, count, check or refuse. */
const SHELLS_OWN =
  /^(BASH.*|COMP_.*|EPOCH.*|PS[0-4]|_|IFS|OPTIND|OPTARG|OPTERR|PPID|UID|EUID|GROUPS|PWD|OLDPWD|LINENO|RANDOM|SRANDOM|SECONDS|FUNCNAME|FUNCNEST|DIRSTACK|PIPESTATUS|SHELLOPTS|SHLVL|HISTCMD|ENV|EXECIGNORE|POSIXLY_CORRECT)$/;

/** One string of an environment has at most 128 KiB. A longer carrier is cut in two, each well below that. */
const WHOLE_CHARACTERS = 32_768;

/** Packs all variables: no tool sees one before a shell sets it. */
export function carryAll(env: Readonly<Record<string, string>>): PackedEnvironment {
  const ours = OURS.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]] as const]));
  const rest = Object.entries(env).filter(([name]) => !OURS.includes(name));
  return pack({ ...FIXED, ...Object.fromEntries(ours) }, rest, Object.keys(env));
}

/** Packs only the variables that a shell in the chain would lose or change; the others are passed by name. */
export function carryOdd(env: Readonly<Record<string, string>>): PackedEnvironment {
  const entries = Object.entries(env);
  const odd = entries.filter(([name]) => isOdd(name));
  if (odd.length === 0) return { env, prefix: '', exported: 0, odd: 0 };
  return pack(Object.fromEntries(entries.filter(([name]) => !isOdd(name))), odd, Object.keys(env));
}

/** @returns the names that cannot be set when there is no shell between the switch of user and the program. */
export function needShell(env: Readonly<Record<string, string>>): string[] {
  return Object.keys(env).filter((name) => !INERT.includes(name));
}

/** @returns a prefix with which none of the names begins. */
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

/** True for names that no shell passes on: dash and busybox drop a name that is no identifier. */
function isOdd(name: string): boolean {
  return !IDENTIFIER.test(name) || SHELLS_OWN.test(name);
}

function carrier(name: string, text: string): [string, string][] {
  if (text.length <= WHOLE_CHARACTERS) return [[name, text]];
  // Half of the characters have at most three quarters of the bytes. A surrogate pair is not cut.
  const half = text.length >> 1;
  const cut = (text.codePointAt(half - 1) ?? 0) > 0xffff ? half + 1 : half;
  return [
    [name, text.slice(0, cut)],
    [`${name}_`, text.slice(cut)],
  ];
}
