import { readdirSync } from 'node:fs';
import { readText } from '../../files/read-text.js';

/** Identifies a process for good: pids are used again, but no two processes of one boot have the same pid and start time. */
export interface ProcessIdentity {
  boot_id: string;
  pid: number;
  /** Clock ticks from boot to the start of the process: field 22 of `/proc/<pid>/stat`. */
  start_ticks: number;
}

/** The variable that carries the token of an attempt in the environment of all its processes. */
const TOKEN_VARIABLE = 'EXECGO_LAUNCH';
/** `num_threads` in `/proc/<pid>/stat`. */
const THREADS_FIELD = 20;
/** States of threads that do not run: stopped by a signal or by a tracer, ended. */
const STANDING = ['T', 't', 'Z', 'X'];

/** @returns the id of this boot; empty where there is no /proc. */
export function readBootId(): string {
  return readText('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
}

/** @returns the start time of a process, zombies included, in clock ticks since boot; undefined when it is gone. */
export function startTicks(pid: number): number | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  return stat === undefined ? undefined : parseStartTicks(stat);
}

/** The state of a child that was just started. */
export interface ChildState {
  /** Clock ticks from boot to its start. */
  startTicks: number;
  /** It is a zombie: nothing can be changed about it. */
  hasEnded: boolean;
}

/** @returns the state of a child that has not been waited for; undefined where there is no /proc. */
export function childState(pid: number): ChildState | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  const ticks = stat === undefined ? undefined : parseStartTicks(stat);
  return stat === undefined || ticks === undefined
    ? undefined
    : { startTicks: ticks, hasEnded: isEnded(stat) };
}

/**
 * Field 22 of a stat line. The second field is the command in parentheses, which may itself contain spaces, parentheses and
 * line ends, so the fields are counted from the last `)` on.
 */
export function parseStartTicks(stat: string): number | undefined {
  const field = afterCommand(stat)[22 - 3];
  return field !== undefined && /^\d+$/.test(field) ? Number(field) : undefined;
}

/** The fields of a stat line from the third on. */
function afterCommand(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** True when the process that `identity` names still exists (running or zombie). `bootId` is the present boot's. */
export function isSameProcess(identity: ProcessIdentity, bootId: string): boolean {
  return identity.boot_id === bootId && startTicks(identity.pid) === identity.start_ticks;
}

/**
 * True while the process that `identity` names runs. A zombie does not count: nobody may ever reap it. `bootId` is the
 * present boot's.
 */
export function isRunning(identity: ProcessIdentity, bootId: string): boolean {
  const stat = identity.boot_id === bootId ? readText(`/proc/${identity.pid}/stat`) : undefined;
  if (stat === undefined || parseStartTicks(stat) !== identity.start_ticks) return false;
  return !isEnded(stat);
}

/** A process of which only the first thread has ended looks like a zombie, but runs. */
function isEnded(stat: string): boolean {
  const fields = afterCommand(stat);
  return ['Z', 'X'].includes(fields[0] ?? '') && Number(fields[THREADS_FIELD - 3]) <= 1;
}

/** @returns the threads of `pid`; empty when it is gone or there is no /proc. */
export function threadsOf(pid: number): string[] {
  return readNames(`/proc/${pid}/task`);
}

/**
 * True when all threads of `pid` are stopped or have ended; also when it is gone or there is no /proc.
 * @param isToldToStop it was sent SIGSTOP: what waits in the kernel (D) stops before it runs on. That may take as long as it
 *   waits: the parent of a child that vfork(2) has made and that is stopped, too, waits for that child.
 */
export function standsStill(pid: number, isToldToStop = false): boolean {
  return threadsOf(pid).every((tid) => {
    const stat = readText(`/proc/${pid}/task/${tid}/stat`);
    const state = stat === undefined ? 'X' : (afterCommand(stat)[0] ?? '');
    return STANDING.includes(state) || (isToldToStop && state === 'D');
  });
}

/** @returns pids of the children of all threads of `pid`; empty when it is gone or there is no /proc. */
export function childrenOf(pid: number): number[] {
  return threadsOf(pid).flatMap((tid) =>
    (readText(`/proc/${pid}/task/${tid}/children`) ?? '').split(' ').filter(isPid).map(Number),
  );
}

/** @returns pids of everything below `pid`, parents before their children, without `pid` itself. */
export function descendantsOf(pid: number): number[] {
  const found = new Set<number>();
  const open = [pid];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const child of childrenOf(next)) {
      if (found.has(child)) continue;
      found.add(child);
      open.push(child);
    }
  }
  return [...found];
}

/** True when the environment that `pid` was started with names the attempt with `token`. */
export function carriesToken(pid: number, token: string): boolean {
  return tokensOf(pid).includes(token);
}

/**
 * @returns tokens of all attempts that the environment of `pid`, as it was started, names; more than one only if a task set
 *   them on purpose.
 */
export function tokensOf(pid: number): string[] {
  const prefix = `${TOKEN_VARIABLE}=`;
  const environment = environmentOf(pid);
  if (!environment.includes(prefix)) return [];
  return environment
    .split('\0')
    .flatMap((entry) => (entry.startsWith(prefix) ? entry.slice(prefix.length) : []));
}

function environmentOf(pid: number): string {
  const own = readText(`/proc/${pid}/environ`) ?? '';
  if (own !== '') return own;
  // When the first thread of a process has ended, its memory can only be read through the other threads.
  const threads = threadsOf(pid);
  const others = threads.length > 1 ? threads : [];
  for (const tid of others) {
    const text = readText(`/proc/${pid}/task/${tid}/environ`) ?? '';
    if (text !== '') return text;
  }
  return '';
}

/** @returns pids of all processes of this machine that carry `token`. Reads every environment, so it is for rare use. */
export function findByToken(token: string): number[] {
  return findTokens().get(token) ?? [];
}

/** @returns the pids of the processes that carry a token, for each token on this machine. Reads every environment once. */
export function findTokens(): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const pid of readNames('/proc').filter(isPid).map(Number))
    for (const token of tokensOf(pid)) found.set(token, [...(found.get(token) ?? []), pid]);
  return found;
}

function isPid(name: string): boolean {
  return /^[1-9]\d*$/.test(name);
}

function readNames(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
