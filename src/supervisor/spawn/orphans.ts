import { descendantsOf } from '../../sandbox/process/process-identity.js';
import { ChildrenList } from './children-list.js';
import { Orphan } from './orphan.js';

/**
 * Tells the children of this process apart: leaders that it spawned, processes of spawns under way, and orphans. Those are
 * what lost its parent, and what a leader made as a child of its own parent (CLONE_PARENT).
 */
export class Orphans {
  readonly #children = new ChildrenList();
  readonly #leaders = new Set<number>();
  /** What the leaders take up in the list. */
  #leadersLength = 0;
  readonly #pending = new Set<object>();
  /** Every child that was seen and neither led nor was waited for. */
  readonly #seen = new Map<number, Orphan>();
  /** Those of them that may be of a spawn under way. */
  readonly #unsettled = new Set<Orphan>();
  #isHeld = false;
  #held: readonly Orphan[] | undefined;

  /** False where the kernel does not list children. */
  get isKept(): boolean {
    return this.#children.isKept;
  }

  /** How many spawns are under way. */
  get spawning(): number {
    return this.#pending.size;
  }

  /** A spawn is under way: whatever child turns up may be its. */
  begin(spawn: object): void {
    this.#pending.add(spawn);
  }

  /** The C library has waited for the process of a spawn, which could not become the program: its pid may be another's. */
  failed(spawn: object): void {
    for (const orphan of this.#unsettled) if (orphan.mayBeOf.has(spawn)) this.#forget(orphan.pid);
    this.changed();
  }

  /** A spawn is over. @param pid the process that it has made, which leads. */
  end(spawn: object, pid?: number): void {
    if (pid !== undefined) this.#lead(pid);
    this.#pending.delete(spawn);
    for (const orphan of this.#unsettled) {
      orphan.mayBeOf.delete(spawn);
      if (orphan.mayBeOf.size === 0) this.#unsettled.delete(orphan);
    }
  }

  /** A child was waited for. */
  reaped(pid: number): void {
    this.#forget(pid);
    if (this.#leaders.delete(pid)) this.#leadersLength -= lengthOf(pid);
    this.changed();
  }

  /** True while a child that does not lead may be the process of a spawn under way. */
  mayLead(pid: number): boolean {
    return this.#orphan(pid).mayBeOf.size > 0;
  }

  /** @returns all children that do not lead; those with `mayBeOf` may yet turn out to. */
  all(): readonly Orphan[] {
    if (this.#held !== undefined) return this.#held;
    const list = this.#children.read();
    // All leaders are in the list: where nothing else fits in, nothing else is there.
    const hasOthers = list !== '' && list.length !== this.#leadersLength;
    const pids = hasOthers ? list.trimEnd().split(' ').map(Number) : [];
    const orphans = pids.filter((pid) => !this.#leaders.has(pid)).map((pid) => this.#orphan(pid));
    if (this.#isHeld) this.#held = orphans;
    return orphans;
  }

  /** @returns pids of the orphans that belong to the launch `token`, and of what is below them. */
  carrying(token: string): number[] {
    return withDescendants(this.all().filter((orphan) => orphan.carries(token)));
  }

  /** @returns pids of the orphans that are no spawn's, and of what is below them. */
  settled(): number[] {
    return withDescendants(this.all().filter(({ mayBeOf }) => mayBeOf.size === 0));
  }

  /**
   * Lets all of `looks` see the list as it is at the first of them: it grows with the processes that run, so that looking
   * anew at each of many ends would cost in proportion to the square of them.
   */
  hold(looks: () => void): void {
    this.#isHeld = true;
    looks();
    this.#isHeld = false;
    this.#held = undefined;
  }

  /** The list may have changed: a process was killed, whose children lose their parent. */
  changed(): void {
    this.#held = undefined;
  }

  close(): void {
    this.#children.close();
  }

  #lead(pid: number): void {
    this.#forget(pid);
    this.#leaders.add(pid);
    this.#leadersLength += lengthOf(pid);
    this.changed();
  }

  #orphan(pid: number): Orphan {
    const known = this.#seen.get(pid);
    if (known !== undefined) return known;
    const orphan = new Orphan(pid, this.#pending);
    this.#seen.set(pid, orphan);
    if (orphan.mayBeOf.size > 0) this.#unsettled.add(orphan);
    return orphan;
  }

  #forget(pid: number): void {
    const orphan = this.#seen.get(pid);
    if (orphan !== undefined) this.#unsettled.delete(orphan);
    this.#seen.delete(pid);
  }
}

function withDescendants(orphans: readonly Orphan[]): number[] {
  return orphans.flatMap(({ pid }) => [pid, ...descendantsOf(pid)]);
}

/** Of a pid and the blank behind it. */
function lengthOf(pid: number): number {
  return String(pid).length + 1;
}
