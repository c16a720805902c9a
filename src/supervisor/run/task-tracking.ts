import type { CgroupSpec } from '../../sandbox/launch.js';
import { childState } from '../../sandbox/process/process-identity.js';
import type { LaunchedProcess } from '../spawn/launcher.js';
import { TaskCgroup } from './task-cgroup.js';

/**
 * How long after its spawn a process is moved into a cgroup of its own, in milliseconds. Most short tasks have ended by
 * then; for one of those, making, entering and removing a cgroup took a quarter of the supervisor's time. On a machine that
 * has been idle for 20 ms a move takes 8 ms, and the end of a process is told only after its move.
 */
const ENTER_AFTER_MS = 2;
/**
 * A process that forks faster than it can be moved is looked at again after this, then after twice as long each time. In
 * milliseconds.
 */
const FOLLOW_AFTER_MS = 50;

/** The cgroups of one attempt, if there are any: with a launch chain from before the spawn, otherwise from soon after it. */
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

  /** True when all processes of the attempt are in a cgroup of their own. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Makes the cgroups, which the launch chain enters itself. @throws Error for people when they cannot be made. */
  make(): void {
    if (this.#spec === undefined) return;
    this.#cgroup = new TaskCgroup(this.#spec);
    this.#isComplete = true;
  }

  /**
   * Moves a running process after {@link ENTER_AFTER_MS}.
   * @param strays finds processes it has forked that have lost their parent by then.
   * @param failed called when it cannot be moved: that is no reason to end the task.
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
        // Some processes cannot be moved: they stay outside, and {@link isComplete} stays false.
        return;
      }
      if (!this.#isComplete) this.#followLater(leader, strays, 2 * afterMs);
    }, afterMs);
  }

  /** To be called when the leader has ended: nothing is moved any more. */
  leaderEnded(): void {
    this.#hasLeaderEnded = true;
    clearTimeout(this.#timer);
  }

  /** To be called when no process is left, or none that can be killed. */
  close(): void {
    clearTimeout(this.#timer);
    this.#cgroup?.removeLater();
  }
}
