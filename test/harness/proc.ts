import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

/** A process as /proc shows it. */
export interface ProcessInfo {
  pid: number;
  ppid: number;
  /** Arguments joined with blanks; the name in brackets for a process without. */
  command: string;
  /** Its environment as it was when it started. Empty where it may not be read. */
  env: ReadonlyMap<string, string>;
  /** Undefined where it may not be read. */
  cwd: string | undefined;
  /** The paths of its cgroups, one in a line, as /proc tells them. */
  cgroups: string;
}

/** Every process that is not a zombie. One that ends meanwhile is left out. */
export function listProcesses(): ProcessInfo[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)) ?? []);
}

/** Undefined when there is no such process, or only its zombie. */
export function readProcess(pid: number): ProcessInfo | undefined {
  const stat = readIfThere(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The name in parentheses may hold blanks and parentheses of its own.
  const nameEnd = stat.lastIndexOf(')');
  const [state, ppid] = stat.slice(nameEnd + 2).split(' ');
  if (state === 'Z' || state === 'X') return undefined;
  const command = (readIfThere(`/proc/${pid}/cmdline`) ?? '').split('\0').join(' ').trim();
  const env = (readIfThere(`/proc/${pid}/environ`) ?? '').split('\0').filter((entry) => entry.includes('='));
  return {
    pid,
    ppid: Number(ppid),
    command: command === '' ? `[${stat.slice(stat.indexOf('(') + 1, nameEnd)}]` : command,
    env: new Map(
      env.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
    ),
    cwd: linkTarget(`/proc/${pid}/cwd`),
    cgroups: readIfThere(`/proc/${pid}/cgroup`) ?? '',
  };
}

/** True while `pid` runs; a zombie does not. */
export function isAlive(pid: number): boolean {
  return readProcess(pid) !== undefined;
}

/** The processes that were started with `EXECGO_TASK_ID` or `EXECGO_LAUNCH` equal to `taskIdOrToken`. */
export function processesOf(taskIdOrToken: string): ProcessInfo[] {
  return listProcesses().filter(
    (p) => p.env.get('EXECGO_TASK_ID') === taskIdOrToken || p.env.get('EXECGO_LAUNCH') === taskIdOrToken,
  );
}

/** What each open descriptor of `pid` leads to, by number: a path, `socket:[…]`, `pipe:[…]`. Throws ENOENT when it is gone. */
export function openFds(pid: number): Map<number, string> {
  const fds = new Map<number, string>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const target = linkTarget(`/proc/${pid}/fd/${fd}`);
    if (target !== undefined) fds.set(Number(fd), target);
  }
  return fds;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
