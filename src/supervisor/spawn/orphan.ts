import { readFileSync } from 'node:fs';
import { descendantsOf, startTicks, tokensOf } from '../../sandbox/process/process-identity.js';

/** How long after the first look at a process that names no launch the second may come, in milliseconds. */
const LOOK_AGAIN_MS = 1;

/**
 * A child of this process that is no leader. Its pid stays its own until this process waits for it, so that what was once
 * read of it holds: an end costs no more with thousands of them, of other tasks, than with none.
 */
export class Orphan {
  readonly pid: number;
  /** The spawns that may have made it as a leader, each until it is over. */
  readonly mayBeOf: Set<object>;
  readonly #seenAtMs = performance.now();
  #lookAgainAtMs = 0;
  #tokens: readonly string[] = [];
  #startTicks: number | undefined;
  #isElsewhere = false;

  constructor(pid: number, pending: Iterable<object> = []) {
    this.pid = pid;
    this.mayBeOf = new Set(pending);
  }

  /** Clock ticks from boot to its start; Infinity when it has ended. */
  get startTicks(): number {
    return (this.#startTicks ??= startTicks(this.pid) ?? Infinity);
  }

  /**
   * True when it, or what is below it, names the launch `token`. A process that is on its way into a program has no
   * environment for a moment: one that names none is looked at again whenever it is twice as old as at the last look.
   */
  carries(token: string): boolean {
    if (this.#tokens.length === 0) this.#lookForTokens(performance.now());
    return this.#tokens.includes(token);
  }

  #lookForTokens(now: number): void {
    if (now < this.#lookAgainAtMs) return;
    this.#lookAgainAtMs = now + Math.max(LOOK_AGAIN_MS, now - this.#seenAtMs);
    this.#tokens = tokensOf(this.pid);
    // What is below a process that may yet lead is its own.
    if (this.#tokens.length === 0 && this.mayBeOf.size === 0)
      this.#tokens = descendantsOf(this.pid).flatMap(tokensOf);
  }

  /** False, for good, once it was seen in other cgroups than these. */
  isIn(cgroups: string): boolean {
    this.#isElsewhere ||= cgroupsOf(this.pid) !== cgroups;
    return !this.#isElsewhere;
  }
}

/** @returns all cgroups of a process as text; undefined when it is gone or there is no /proc. */
export function cgroupsOf(pid: number | 'self'): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  } catch {
    return undefined;
  }
}
