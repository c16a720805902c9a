import type { CgroupSpec } from '../../sandbox/launch.js';
import { childState } from '../../sandbox/process/process-identity.js';
import type { LaunchedProcess } from '../spawn/launcher.js';
import { TaskCgroup } from './task-cgroup.js';

/**
 * How long after its spawn a process is moved into a cgroup of its own, in milliseconds: most that end at once have ended
 * by then, and making, entering and removing a cgroup took a quarter of the supervisor's time for one. On a machine that
 * has been quiet for 20 ms the kernel takes 8 ms for a move, and a task that ends meanwhile is waited for only after it.
 */
const ENTER_AFTER_MS = 2;
/** What forks faster than it is moved is followed again after this, then after twice as long each time. Milliseconds. */
const FOLLOW_AFTER_MS = 50;

/** The cgroups of one launch, as far as there are any: with a chain from before the spawn, else from soon after it. */
export class TaskTracking {
  readonly #spec: CgroupSpec | undefined;
  #cgroup: TaskCgroup | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isComplete = false;
  #hasLeaderEnded = false;

  constructor(spec: CgroupSpec | undefined) {
    this.#spec = spec;
  }

  get cgroup(): TaskCgroup | undefined {
    return this.#cgroup;
  }

  /** All processes of the launch are in a cgroup of their own. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Makes the cgroups that a chain enters by itself. @throws Error for people when they cannot be made. */
  make(): void {
    if (this.#spec === undefined) return;
    this.#cgroup = new TaskCgroup(this.#spec);
    this.#isComplete = true;
  }

  /**
   * Moves a process that is running, soon.
   * @param strays finds what it has left behind by then.
   * @param failed tracking is worth having, not worth failing for.
   */
  enterSoon(leader: LaunchedProcess, strays: () => number[], failed: (error: unknown) => void): void {
    const spec = this.#spec;
    if (spec === undefined) return;
    this.#timer = setTimeout(() => void this.#enter(spec, leader, strays).catch(failed), ENTER_AFTER_MS);
  }

  async #enter(spec: CgroupSpec, leader: LaunchedProcess, strays: () => number[]): Promise<void> {
    if (childState(leader.pid)?.hasEnded === true) return;
    this.#cgroup = new TaskCgroup(spec);
    const release = leader.keepPid();
    try {
      this.#isComplete = await this.#cgroup.enter(leader.pid, strays);
    } finally {
      release();
    }
    if (!this.#isComplete) this.#followLater(leader, strays, FOLLOW_AFTER_MS);
  }

  #followLater(leader: LaunchedProcess, strays: () => number[], afterMs: number): void {
    if (this.#hasLeaderEnded) return;
    this.#timer = setTimeout(() => {
      try {
        this.#isComplete = this.#cgroup?.follow(leader.pid, strays) ?? false;
      } catch {
        // Some cannot be moved: they stay outside, and it stays incomplete.
        return;
      }
      if (!this.#isComplete) this.#followLater(leader, strays, 2 * afterMs);
    }, afterMs);
  }

  /** The leader has ended: whatever is still to be moved never is. */
  leaderEnded(): void {
    this.#hasLeaderEnded = true;
    clearTimeout(this.#timer);
  }

  /** Nothing is left of the launch, or nothing that can be killed. */
  close(): void {
    clearTimeout(this.#timer);
    this.#cgroup?.removeLater();
  }
}
