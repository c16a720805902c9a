import { constants } from 'node:os';
import { descendantsOf } from '../../sandbox/process/process-identity.js';
import type { Launcher } from '../spawn/launcher.js';
import { cgroupsOf } from '../spawn/orphan.js';
import type { Orphan } from '../spawn/orphan.js';

/**
 * In milliseconds: after a look that found something the next one follows after the first time, then after twice as long
 * each time, up to the second.
 */
const AGAIN_FIRST_MS = 20;
const AGAIN_LAST_MS = 1280;

/** An attempt that runs, with what decides whether an orphan can belong to it. */
export interface PossibleOwner {
  /** Its start in clock ticks since boot, or a moment before it. */
  startTicks: number;
  /** All its processes are in a cgroup of their own. */
  tracked: boolean;
}

/**
 * Kills processes that escaped from attempts that have ended: orphans that removed the token from their environment and are
 * in no attempt's cgroup, because it had none or because they were forked before their leader was moved. An orphan cannot
 * belong to an attempt that started after it, and one outside of all attempts' cgroups cannot belong to an attempt that has
 * a cgroup.
 */
export class UnownedKiller {
  #timer: NodeJS.Timeout | undefined;
  #againMs = AGAIN_FIRST_MS;

  /**
   * @param owners the attempts that run; called only when there are orphans.
   * @param done called when {@link isBusy} becomes false.
   */
  constructor(
    private readonly launcher: Launcher,
    private readonly owners: () => readonly PossibleOwner[],
    private readonly done: () => void,
  ) {}

  /**
   * True for a while after something was killed, or could not be told from a process that is being spawned: more may turn
   * up.
   */
  get isBusy(): boolean {
    return this.#timer !== undefined && this.#againMs < AGAIN_LAST_MS;
  }

  /** Looks now, and again as long as something is found: the children of a process that is killed become orphans. */
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
      if (wasBusy && !(again && this.#againMs < AGAIN_LAST_MS)) this.done();
    }, this.#againMs);
  }

  /** @returns true when there is a reason to look again. */
  #killAll(): boolean {
    const orphans = this.launcher.orphans();
    if (orphans.length === 0) return false;
    const isUnowned = this.#rule();
    const settled = orphans.filter(({ mayBeOf }) => mayBeOf.size === 0);
    const unowned = settled.filter(isUnowned).map(({ pid }) => pid);
    for (const pid of unowned.flatMap((orphan) => [...descendantsOf(orphan), orphan]))
      this.launcher.signal(pid, constants.signals.SIGKILL);
    return unowned.length > 0 || settled.length < orphans.length;
  }

  #rule(): (orphan: Orphan) => boolean {
    const owners = this.owners();
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
