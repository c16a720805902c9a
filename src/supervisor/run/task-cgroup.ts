import {
  cgroupPids,
  createCgroup,
  enterCgroup,
  enterCgroupNow,
  killCgroup,
  readCgroupUsage,
  removeCgroup,
} from '../../sandbox/cgroup/cgroup.js';
import type { CgroupUsage } from '../../sandbox/cgroup/cgroup.js';
import type { CgroupSpec } from '../../sandbox/launch.js';
import { descendantsOf } from '../../sandbox/process/process-identity.js';

/** Rounds in which processes that fork while they are moved are followed; each round's are caught by the next. */
const MOVE_ROUNDS = 5;
/** Together ten seconds. */
const REMOVE_ATTEMPTS = 100;
const REMOVE_EVERY_MS = 100;

/** The cgroups of one launch, from their making to their removal; none of it throws but making and entering. */
export class TaskCgroup {
  readonly #spec: CgroupSpec;
  #usage: CgroupUsage = {};
  #removed = false;

  /** @throws Error for people when the directories cannot be made. */
  constructor(spec: CgroupSpec) {
    this.#spec = spec;
    createCgroup(spec);
  }

  /**
   * Moves a process that is already running, and what it has forked until now.
   * @param strays finds what it has forked that has lost its parent since.
   * @returns false when some may still be outside, as it forks faster than they are moved: {@link follow} goes on.
   */
  async enter(leader: number, strays: () => number[]): Promise<boolean> {
    await enterCgroup(this.#spec, leader);
    return this.follow(leader, strays);
  }

  /** Moves what a process that is inside has forked before it was. @returns as {@link enter}. */
  follow(leader: number, strays: () => number[]): boolean {
    const moved = new Set([leader]);
    for (let round = 0; round < MOVE_ROUNDS; round++) {
      const all = [...descendantsOf(leader), ...strays()];
      const inside = new Set(cgroupPids(this.#spec));
      const fresh = all.filter((pid) => !moved.has(pid) && !inside.has(pid));
      if (fresh.length === 0) return true;
      for (const pid of fresh) {
        moved.add(pid);
        enterCgroupNow(this.#spec, pid);
      }
    }
    return false;
  }

  kill(): void {
    if (!this.#removed) killCgroup(this.#spec);
  }

  /** @returns who is still inside; removes the directories when nobody is. */
  remaining(): number[] {
    if (this.#removed) return [];
    // A directory may be gone while another is still in use: what was once read from it counts.
    this.#usage = { ...this.#usage, ...readCgroupUsage(this.#spec) };
    this.#removed = removeCgroup(this.#spec);
    return this.#removed ? [] : cgroupPids(this.#spec);
  }

  /** As it was seen by {@link remaining}. */
  get usage(): CgroupUsage {
    return this.#usage;
  }

  /** Removes the directories as soon as the kernel lets go of them; for a while, then the daemon's sweep has to. */
  removeLater(attempts = REMOVE_ATTEMPTS): void {
    this.remaining();
    if (!this.#removed && attempts > 0) setTimeout(() => this.removeLater(attempts - 1), REMOVE_EVERY_MS);
  }
}
