import { constants } from 'node:os';
import { standsStill, startTicks } from '../../sandbox/process/process-identity.js';
import type { Launcher } from '../spawn/launcher.js';
import type { TaskTracking } from './task-tracking.js';
import type { TaskTree } from './task-tree.js';

const { SIGCONT, SIGSTOP } = constants.signals;
/** How often one look follows what was forked by processes that it had not stopped yet. */
const ROUNDS = 5;
/**
 * What still runs after so long, and so many looks, may never stand still: it forks faster than it is found, or cannot be
 * stopped. The looks are for a machine that has no time for them. Milliseconds.
 */
const GIVE_UP_MS = 5000;
const GIVE_UP_LOOKS = 10;

/** What a pause works with. */
export interface PauseHandles {
  launcher: Launcher;
  /** Pid of the leader. */
  leader: number;
  tree: TaskTree;
  tracking: TaskTracking;
}

/**
 * Stops all processes of an attempt: those in its cgroup by the freezer, where there is one, and each other one by SIGSTOP;
 * without a freezer its process group as a whole first, out of which nothing can fork meanwhile.
 * What the task had stopped itself stays so afterwards. The freezer holds whatever the task does; a process that was stopped by
 * a signal goes on when another one sends SIGCONT, until the next look.
 */
export class TaskPause {
  readonly #handles: PauseHandles;
  /** What was stopped here by a signal, with its start. */
  readonly #stopped: Starts = new Map();
  /** What stood still before anything was stopped here; undefined until then. */
  #before: Starts | undefined;
  /** The freezer holds all of it. */
  #isHeld = false;
  readonly #sinceMs = performance.now();
  #looks = 0;

  constructor(handles: PauseHandles) {
    this.#handles = handles;
  }

  /** True while a signal may start something of it again. */
  get needsWatch(): boolean {
    return !this.#isHeld;
  }

  /** Why it is to be given up, in words for people, if it has not stopped all by now. */
  get hopeless(): string | undefined {
    if (this.#looks < GIVE_UP_LOOKS || performance.now() - this.#sinceMs < GIVE_UP_MS) return undefined;
    return `not all of its processes could be stopped within ${GIVE_UP_MS / 1000} s; it may start new ones faster than they are stopped`;
  }

  /** Stops what runs. @returns true when nothing does any more; otherwise it is to be called again. */
  look(): boolean {
    this.#looks++;
    const { launcher, leader, tracking, tree } = this.#handles;
    // Without /proc nobody can say what is stopped, and what else there is.
    if (startTicks(process.pid) === undefined) {
      tree.signalGroup(SIGSTOP);
      this.#stopped.set(-leader, undefined);
      return true;
    }
    for (let round = 0; round < ROUNDS; round++) {
      const isFrozen = tracking.cgroup?.freeze();
      const frozen = new Set(isFrozen === undefined ? [] : tracking.cgroup?.freezable);
      if (isFrozen === undefined && this.#before === undefined) this.#stopGroup();
      const open = tree.members().filter((pid) => !frozen.has(pid) && !this.#isSettled(pid));
      const hasNew = open.some((pid) => !isIn(this.#stopped, pid));
      for (const pid of open) {
        this.#stopped.set(pid, startTicks(pid));
        launcher.signal(pid, SIGSTOP);
      }
      this.#isHeld = isFrozen === true && this.#stopped.size === 0;
      if (!hasNew) return open.length === 0 && isFrozen !== false;
    }
    return false;
  }

  /** Lets go on what was stopped here. A pid that belongs to another process by now is left alone. */
  end(): void {
    const { launcher, tracking } = this.#handles;
    tracking.cgroup?.thaw();
    for (const pid of this.#stopped.keys())
      if (pid < 0 || isIn(this.#stopped, pid)) launcher.signal(pid, SIGCONT);
  }

  #stopGroup(): void {
    const { tree } = this.#handles;
    const before = tree.members().filter((pid) => standsStill(pid));
    this.#before = new Map(before.map((pid) => [pid, startTicks(pid)]));
    tree.signalGroup(SIGSTOP);
  }

  /** It is gone, or it stands still and it is known whether it is to go on at the end: what the group's stop has reached is. */
  #isSettled(pid: number): boolean {
    if (startTicks(pid) === undefined) return true;
    const isStopped = isIn(this.#stopped, pid);
    return (
      standsStill(pid, isStopped) && (isStopped || this.#before === undefined || isIn(this.#before, pid))
    );
  }
}

/** Processes, with their starts in clock ticks since boot. */
type Starts = Map<number, number | undefined>;

/** False also for another process that has the pid by now. */
function isIn(starts: Starts, pid: number): boolean {
  const ticks = starts.get(pid);
  return ticks !== undefined && ticks === startTicks(pid);
}
