import { descendantsOf } from '../../sandbox/process/process-identity.js';
import { ChildrenList } from './children-list.js';
import { Orphan } from './orphan.js';

/** A spawn that is under way. */
export interface UnfinishedSpawn {
  /** Where the C library writes the pid of its process, once that has reached its program; 0 until then. */
  pid?: Buffer | undefined;
}

/**
 * Tells the children of this process apart: leaders that it spawned, processes of unfinished spawns, and orphans. Orphans
 * are processes that lost their parent, and those that a leader made as children of its own parent (CLONE_PARENT).
 */
export class Orphans {
  readonly #children: ChildrenList;
  readonly #leaders = new Set<number>();
  /** How many characters of the list the leaders take. */
  #leadersLength = 0;
  readonly #pending = new Set<UnfinishedSpawn>();
  /** Every child seen so far that is no leader and was not waited for. */
  readonly #seen = new Map<number, Orphan>();
  /** Those of them that may be the process of an unfinished spawn. */
  readonly #unsettled = new Set<Orphan>();
  #isHeld = false;
  #held: readonly Orphan[] | undefined;

  /** @param pool see {@link ChildrenList} */
  constructor(pool?: number) {
    this.#children = new ChildrenList(pool);
  }

  /** False when the kernel has no lists of children. */
  get isKept(): boolean {
    return this.#children.isKept;
  }

  /** How many spawns are unfinished. */
  get spawning(): number {
    return this.#pending.size;
  }

  /** To be called when a spawn begins: a child that turns up now may be its process. */
  begin(spawn: UnfinishedSpawn): void {
    this.#pending.add(spawn);
  }

  /**
   * To be called when the process of a spawn could not execute the program. The C library has waited for it, so its pid may
   * be another's by now.
   */
  failed(spawn: UnfinishedSpawn): void {
    for (const orphan of this.#unsettled) if (orphan.mayBeOf.has(spawn)) this.#forget(orphan.pid);
    this.changed();
  }

  /** To be called when a spawn is finished. @param pid of the process that it made, a leader. */
  end(spawn: UnfinishedSpawn, pid?: number): void {
    if (pid !== undefined) this.#lead(pid);
    this.#pending.delete(spawn);
    for (const orphan of this.#unsettled) {
      orphan.mayBeOf.delete(spawn);
      if (orphan.mayBeOf.size === 0) this.#unsettled.delete(orphan);
    }
  }

  /** To be called when a child was waited for. */
  reaped(pid: number): void {
    this.#forget(pid);
    if (this.#leaders.delete(pid)) this.#leadersLength -= lengthOf(pid);
    this.changed();
  }

  /** True while a child that is not known as a leader may be the process of an unfinished spawn. */
  mayLead(pid: number): boolean {
    return this.#orphan(pid).mayBeOf.size > 0;
  }

  /** @returns all children that are not known as leaders; those with `mayBeOf` may still turn out to be. */
  all(): readonly Orphan[] {
    if (this.#held !== undefined) return this.#held;
    const list = this.#children.read();
    const made = this.#made();
    const length = made.reduce((sum, pid) => sum + lengthOf(pid), this.#leadersLength);
    // All leaders are in the list: if it is exactly as long as they are, there is nothing else in it.
    const hasOthers = list !== '' && list.length !== length;
    const pids = hasOthers ? list.trimEnd().split(' ').map(Number) : [];
    const orphans = pids
      .filter((pid) => !this.#leaders.has(pid) && !made.includes(pid))
      .map((pid) => this.#orphan(pid));
    this.#held = orphans;
    if (!this.#isHeld) queueMicrotask(() => this.#letGo());
    return orphans;
  }

  /** @returns pids of the orphans of the attempt with `token`, and of their descendants. */
  carrying(token: string): number[] {
    return withDescendants(this.all().filter((orphan) => orphan.carries(token)));
  }

  /** @returns pids of the orphans that are certainly no leaders, and of their descendants. */
  settled(): number[] {
    return withDescendants(this.all().filter(({ mayBeOf }) => mayBeOf.size === 0));
  }

  /**
   * Keeps the list as it is at the first of `looks` for all of them. The list grows with the number of running processes, so
   * reading it anew for each of many ends would cost in proportion to the square of that number.
   */
  hold(looks: () => void): void {
    this.#isHeld = true;
    looks();
    this.#isHeld = false;
    this.#held = undefined;
  }

  /** One list is also enough for all that is asked about one end. */
  #letGo(): void {
    if (!this.#isHeld) this.#held = undefined;
  }

  /** To be called when the list may have changed: a process was killed, and its children lose their parent. */
  changed(): void {
    this.#held = undefined;
  }

  close(): void {
    this.#children.close();
  }

  /** Leaders whose spawn has made them and was not told to be finished yet. */
  #made(): number[] {
    const made: number[] = [];
    for (const { pid } of this.#pending) {
      const known = pid?.readInt32LE(0) ?? 0;
      if (known > 0) made.push(known);
    }
    return made;
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

/** The length of a pid and the blank after it. */
function lengthOf(pid: number): number {
  return String(pid).length + 1;
}
