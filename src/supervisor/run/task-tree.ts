import { constants } from 'node:os';
import { descendantsOf, findByToken } from '../../sandbox/process/process-identity.js';
import type { LaunchedProcess, Launcher } from '../spawn/launcher.js';
import type { TaskTracking } from './task-tracking.js';

const { SIGKILL } = constants.signals;

/** What is known of an attempt's processes, and the ways to reach them. */
export interface TreeHandles {
  launcher: Launcher;
  leader: LaunchedProcess;
  token: string;
  tracking: TaskTracking;
}

/**
 * All processes of one attempt: leader, process group, cgroup, and processes that carry its token or hold one of its
 * streams.
 */
export class TaskTree {
  readonly #handles: TreeHandles;
  #groupGone = false;

  constructor(handles: TreeHandles) {
    this.#handles = handles;
  }

  /** Closes the streams that are still open. */
  closeStreams(): void {
    this.#handles.leader.closeStreams();
  }

  /** Signals the process group. */
  signalGroup(signal: number): void {
    this.#handles.launcher.signal(-this.#handles.leader.pid, signal);
  }

  /** Signals the leader's descendants, but not the leader. */
  signalBelow(signal: number): void {
    for (const pid of descendantsOf(this.#handles.leader.pid)) this.#handles.launcher.signal(pid, signal);
  }

  /** @returns pids of all its processes, parents before their children, while the leader still exists. */
  members(): number[] {
    const { launcher, leader, token, tracking } = this.#handles;
    const below = descendantsOf(leader.pid);
    const others = [...(tracking.cgroup?.pids ?? []), ...launcher.strays(token), ...leader.holders()];
    return [...new Set([leader.pid, ...below, ...others])];
  }

  /** Kills all processes while the leader still exists. */
  kill(): void {
    const { launcher, leader, token, tracking } = this.#handles;
    const below = descendantsOf(leader.pid);
    this.signalGroup(SIGKILL);
    tracking.cgroup?.kill();
    for (const pid of [...below, ...launcher.strays(token)]) launcher.signal(pid, SIGKILL);
  }

  /**
   * Kills what is left after the leader has ended; to be called again until nothing is.
   * @param holdersToo also kill processes that hold a stream: they had time enough to let go of it.
   * @returns true when nothing else is known to be left.
   */
  killRest(holdersToo: boolean): boolean {
    const { launcher, leader, tracking } = this.#handles;
    const left = this.#rest();
    const gone = left.length === 0 && this.#groupGone;
    if (!gone) tracking.cgroup?.kill();
    for (const pid of gone && holdersToo ? leader.holders() : left) launcher.signal(pid, SIGKILL);
    return gone;
  }

  /** Kills every process that can be found now. */
  killFound(leaderEnded: boolean): void {
    for (const pid of this.survivors(leaderEnded)) this.#handles.launcher.signal(pid, SIGKILL);
  }

  /** @returns pids of all processes that can be found now. */
  survivors(leaderEnded: boolean): number[] {
    const { leader, token } = this.#handles;
    const below = leaderEnded ? [] : [leader.pid, ...descendantsOf(leader.pid)];
    return [...new Set([...below, ...this.#rest(), ...leader.holders(), ...findByToken(token)])];
  }

  /** Kills the process group after its leader's end. @returns pids of the attempt's other processes that are known. */
  #rest(): number[] {
    const { launcher, leader, token, tracking } = this.#handles;
    // Once the group is gone its number may be given to another one: it is never signalled again.
    if (!this.#groupGone) this.#groupGone = !launcher.signal(-leader.pid, SIGKILL);
    return [...new Set([...(tracking.cgroup?.remaining() ?? []), ...launcher.strays(token)])];
  }
}
