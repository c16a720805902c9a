import { constants } from 'node:os';
import { descendantsOf } from '../../sandbox/process/process-identity.js';
import type { Launcher } from '../spawn/launcher.js';
import { cgroupsOf } from '../spawn/orphan.js';
import type { Orphan } from '../spawn/orphan.js';

/** After this long, in milliseconds, another look follows one that gave reason to; then twice as long each time, up to the second. */
const AGAIN_FIRST_MS = 20;
const AGAIN_LAST_MS = 1280;

/** A task that runs, as far as it tells whether an orphan can be its own. */
export interface PossibleOwner {
  /** Start time in clock ticks since boot, or a moment before it. */
  startTicks: number;
  /** Its processes are in a cgroup of their own. */
  tracked: boolean;
}

/**
 * Kills what escaped from a task that has ended: orphans that gave up their token and are in no task's cgroup, because there
 * was none or because they were forked before their leader was moved. An orphan cannot belong to a task that started after
 * it, nor outside of every task's cgroup to one that has a cgroup.
 */
export class UnownedKiller {
  readonly #launcher: Launcher;
  readonly #owners: () => readonly PossibleOwner[];
  readonly #done: () => void;
  #timer: NodeJS.Timeout | undefined;
  #againMs = AGAIN_FIRST_MS;

  /**
   * @param owners the tasks that run; asked for only when there are orphans.
   * @param done called when {@link isBusy} is no longer.
   */
  constructor(launcher: Launcher, owners: () => readonly PossibleOwner[], done: () => void) {
    this.#launcher = launcher;
    this.#owners = owners;
    this.#done = done;
  }

  /** Something was killed, or could not be told from a spawn under way, so lately that more may turn up. */
  get isBusy(): boolean {
    return this.#timer !== undefined && this.#againMs < AGAIN_LAST_MS;
  }

  /** Looks now, and again as long as there is something: the children of what is killed turn up as orphans. */
  look(): void {
    if (this.#killAll() && this.#timer === undefined) this.#lookLater();
  }

  #lookLater(): void {
    this.#timer = setTimeout(() => {
      const wasBusy = this.isBusy;
      this.#timer = undefined;
      const again = this.#killAll();
      this.#againMs = again ? Math.min(2 * this.#againMs, AGAIN_LAST_MS) : AGAIN_FIRST_MS;
      if (again) this.#lookLater();
      if (wasBusy && !(again && this.#againMs < AGAIN_LAST_MS)) this.#done();
    }, this.#againMs);
  }

  /** @returns true when there is reason to look again. */
  #killAll(): boolean {
    const orphans = this.#launcher.orphans();
    if (orphans.length === 0) return false;
    const isUnowned = this.#rule();
    const settled = orphans.filter(({ mayBeOf }) => mayBeOf.size === 0);
    const unowned = settled.filter(isUnowned).map(({ pid }) => pid);
    for (const pid of unowned.flatMap((orphan) => [...descendantsOf(orphan), orphan]))
      this.#launcher.signal(pid, constants.signals.SIGKILL);
    return unowned.length > 0 || settled.length < orphans.length;
  }

  #rule(): (orphan: Orphan) => boolean {
    const owners = this.#owners();
    const firstStart = (tracked: boolean) =>
      owners.reduce(
        (first, task) => (task.tracked === tracked ? Math.min(first, task.startTicks) : first),
        Infinity,
      );
    const [untracked, tracked] = [firstStart(false), firstStart(true)];
    const outside = tracked === Infinity ? undefined : cgroupsOf('self');
    return (orphan) =>
      (orphan.startTicks < untracked || untracked === Infinity) &&
      (orphan.startTicks < tracked ||
        tracked === Infinity ||
        (outside !== undefined && orphan.isIn(outside)));
  }
}
