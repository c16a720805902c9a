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
import { freeze, thaw } from '../../sandbox/cgroup/freezer.js';
import type { CgroupSpec } from '../../sandbox/launch.js';
import { descendantsOf } from '../../sandbox/process/process-identity.js';

/** How often to look for processes that were forked while their parents were being moved. */
const MOVE_ROUNDS = 5;
/** How often to try to remove the directories: for ten seconds in all. */
const REMOVE_ATTEMPTS = 100;
const REMOVE_EVERY_MS = 100;

/** The cgroups of one attempt, from making them to removing them. Only the constructor and {@link enter} throw. */
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
   * Moves a running process and everything it has forked so far.
   * @param strays finds processes it has forked that have lost their parent since.
   * @returns false when some may still be outside, because it forks faster than they are moved: then call {@link follow}.
   */
  async enter(leader: number, strays: () => number[]): Promise<boolean> {
    await enterCgroup(this.#spec, leader);
    return this.follow(leader, strays);
  }

  /** Moves what a process that is inside has forked before it was moved. @returns as {@link enter}. */
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

  /** Stops what is inside, and what comes in. @returns true once all of it has stopped, undefined where that cannot be done. */
  freeze(): boolean | undefined {
    return this.#removed ? undefined : freeze(this.#spec);
  }

  thaw(): void {
    const { track, freezer } = this.#spec;
    if (!this.#removed && freezer !== undefined) thaw(track.path, freezer);
  }

  /** The processes that {@link freeze} reaches. */
  get freezable(): number[] {
    return this.#removed ? [] : cgroupPids({ ...this.#spec, limits: [] });
  }

  kill(): void {
    if (!this.#removed) killCgroup(this.#spec);
  }

  /** The processes inside. */
  get pids(): number[] {
    return this.#removed ? [] : cgroupPids(this.#spec);
  }

  /** @returns the processes that are still inside; removes the directories when there are none. */
  remaining(): number[] {
    if (this.#removed) return [];
    // One directory may be gone while another is still in use: values that were read before are kept.
    this.#usage = { ...this.#usage, ...readCgroupUsage(this.#spec) };
    this.#removed = removeCgroup(this.#spec);
    return this.#removed ? [] : cgroupPids(this.#spec);
  }

  /** The usage as {@link remaining} last read it. */
  get usage(): CgroupUsage {
    return this.#usage;
  }

  /**
   * Removes the directories as soon as the kernel allows it. After ten seconds it is left to the sweep at the daemon's next
   * start.
   */
  removeLater(attempts = REMOVE_ATTEMPTS): void {
    this.remaining();
    if (!this.#removed && attempts > 0) setTimeout(() => this.removeLater(attempts - 1), REMOVE_EVERY_MS);
  }
}
