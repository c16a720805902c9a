import { readText } from '../../files/read-text.js';
import { descendantsOf, startTicks, tokensOf } from '../../sandbox/process/process-identity.js';

/** How long after the first look at a process that names no attempt the second may come, in milliseconds. */
const LOOK_AGAIN_MS = 1;

/**
 * A child of this process that is no leader. Its pid stays reserved until this process waits for it, so that what was read
 * about it stays true: an end costs no more with thousands of orphans of other tasks than with none.
 */
export class Orphan {
  readonly pid: number;
  /** The unfinished spawns of which it may be the leader. */
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

  /** Its start in clock ticks since boot; Infinity when it has ended. */
  get startTicks(): number {
    return (this.#startTicks ??= startTicks(this.pid) ?? Infinity);
  }

  /**
   * True when it, or one of its descendants, names the attempt with `token`. A process has no environment for a moment while
   * it executes a program, so one that names no attempt is looked at again each time it is twice as old as at the last look.
   */
  carries(token: string): boolean {
    if (this.#tokens.length === 0) this.#lookForTokens(performance.now());
    return this.#tokens.includes(token);
  }

  #lookForTokens(now: number): void {
    if (now < this.#lookAgainAtMs) return;
    this.#lookAgainAtMs = now + Math.max(LOOK_AGAIN_MS, now - this.#seenAtMs);
    this.#tokens = tokensOf(this.pid);
    // If it may be a leader, its descendants are not orphans.
    if (this.#tokens.length === 0 && this.mayBeOf.size === 0)
      this.#tokens = descendantsOf(this.pid).flatMap(tokensOf);
  }

  /** Whether it is in these cgroups. Once it was seen in others the answer stays false. */
  isIn(cgroups: string): boolean {
    this.#isElsewhere ||= cgroupsOf(this.pid) !== cgroups;
    return !this.#isElsewhere;
  }
}

/** @returns the text of all cgroups of a process; undefined when it is gone or there is no /proc. */
export function cgroupsOf(pid: number | 'self'): string | undefined {
  return readText(`/proc/${pid}/cgroup`);
}
