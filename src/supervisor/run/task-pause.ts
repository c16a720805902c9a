import { constants } from 'node:os';
import { standsStill, startTicks } from '../../sandbox/process/process-identity.js';
import type { Launcher } from '../spawn/launcher.js';
import type { TaskTracking } from './task-tracking.js';
import type { TaskTree } from './task-tree.js';

const { SIGCONT, SIGSTOP } = constants.signals;
/** How often one look follows what was forked by processes that it had not stopped yet. */
const ROUNDS = 5;

/** What a pause works with. */
export interface PauseHandles {
  launcher: Launcher;
  /** Pid of the leader. */
  leader: number;
  tree: TaskTree;
  tracking: TaskTracking;
}

/**
 * Stops all processes of an attempt: those in its cgroup by the freezer, where there is one, and each other one by SIGSTOP.
 * What the task had stopped itself stays so afterwards. The freezer holds whatever the task does; a process that was stopped by
 * a signal goes on when another one sends SIGCONT, until the next look.
 */
export class TaskPause {
  readonly #handles: PauseHandles;
  /** What was stopped here by a signal, with its start. */
  readonly #stopped = new Map<number, number | undefined>();
  /** The freezer holds all of it. */
  #isHeld = false;

  constructor(handles: PauseHandles) {
    this.#handles = handles;
  }

  /** True while a signal may start something of it again. */
  get needsWatch(): boolean {
    return !this.#isHeld;
  }

  /** Stops what runs. @returns true when nothing does any more; otherwise it is to be called again. */
  look(): boolean {
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
      const running = tree.members().filter((pid) => !frozen.has(pid) && !this.#isStill(pid));
      const hasNew = running.some((pid) => !this.#isStopped(pid));
      for (const pid of running) {
        this.#stopped.set(pid, startTicks(pid));
        launcher.signal(pid, SIGSTOP);
      }
      this.#isHeld = isFrozen === true && this.#stopped.size === 0;
      if (!hasNew) return running.length === 0 && isFrozen !== false;
    }
    return false;
  }

  /** Lets go on what was stopped here. A pid that belongs to another process by now is left alone. */
  end(): void {
    const { launcher, tracking } = this.#handles;
    tracking.cgroup?.thaw();
    for (const pid of this.#stopped.keys())
      if (pid < 0 || this.#isStopped(pid)) launcher.signal(pid, SIGCONT);
  }

  #isStill(pid: number): boolean {
    return standsStill(pid, this.#isStopped(pid));
  }

  #isStopped(pid: number): boolean {
    const ticks = this.#stopped.get(pid);
    return ticks !== undefined && ticks === startTicks(pid);
  }
}
