import type { ExitStatus, LaunchedProcess, StreamName } from '../spawn/launcher.js';
import type { LaunchSpec, Outcome, Running } from '../wire/protocol.js';
import type { Deadline } from '../../task/deadline.js';
import type { DiskWatch } from './disk-watch.js';
import type { Space } from './disk-worker.js';
import type { TaskPause } from './task-pause.js';
import type { StopRequest, TaskStop } from './task-stop.js';
import type { TaskTree } from './task-tree.js';

/** The process that was made for an attempt, and what is done about it. */
export interface TaskProcess {
  readonly running: Running;
  /** On the monotonic clock, in milliseconds. */
  readonly spawnedAt: number;
  readonly tree: TaskTree;
  readonly stopping: TaskStop;
  /** Somebody may still write to these. */
  readonly openStreams: Set<StreamName>;
  wallTime?: Deadline | undefined;
  /** When the wall time passed: Unix time. */
  timeoutAtMs?: number | undefined;
  diskWatch?: DiskWatch | undefined;
  /** What was found of its workspace, when that was too much. */
  space?: Space | undefined;
  /** When it was paused or resumed last: Unix time, and later each time, whatever is done to the clock. */
  turnedAtMs?: number | undefined;
  /** After it, what cannot be killed is left alone. */
  giveUp?: Deadline | undefined;
}

/** How and when the leader ended: Unix time, and milliseconds on the monotonic clock. */
export interface LeaderEnd {
  status: ExitStatus;
  atMs: number;
  durationMs: number;
}

/** Where one attempt is between its message and its outcome. */
export type TaskState =
  /** Waits for its turn; nothing is made of it. */
  | { is: 'queued'; stops: readonly StopRequest[] }
  /** Its process may exist, and is not known yet. `notBefore`: clock ticks since boot of a moment before it. */
  | {
      is: 'spawning';
      stops: readonly StopRequest[];
      notBefore: number;
      startedAtMs: number;
      spawnedAt: number;
    }
  /** Its process exists; the program is not known to be reached. */
  | { is: 'launching'; process: TaskProcess }
  /** The program runs, and that was told. */
  | { is: 'running'; process: TaskProcess }
  /** It was told to stop, and its wall time stands still. */
  | {
      is: 'paused';
      process: TaskProcess;
      pause: TaskPause;
      sinceMs: number;
      /** Nothing of it ran any more at the last look. */
      isStill: boolean;
      nextLook?: NodeJS.Timeout | undefined;
    }
  /** The leader has ended; what is left of its tree is killed, and its output awaited. */
  | {
      is: 'ending';
      process: TaskProcess;
      end: LeaderEnd;
      isReached: boolean;
      /** Nothing was left of it at the last look, and nobody has been killed since. */
      isTreeGone: boolean;
      nextLook?: NodeJS.Timeout | undefined;
    }
  /** Its outcome was told. */
  | { is: 'over' };

/** What can happen to it. */
export type TaskEvent =
  /** It has its turn, and stands in the journal. `notBefore`: clock ticks since boot of a moment that is past. */
  | { type: 'start'; spec: LaunchSpec; notBefore: number }
  | { type: 'spawned'; process: LaunchedProcess }
  /** There is no process, and will be none. */
  | ({ type: 'failed' } & NonNullable<Outcome['failure']>)
  /** The launch chain has reached the program. */
  | { type: 'reached' }
  /** `chunk` holds only during the call. */
  | { type: 'output'; stream: StreamName; chunk: Buffer }
  | { type: 'streamEnded'; stream: StreamName }
  | { type: 'exited'; status: ExitStatus }
  | { type: 'stop'; stop: StopRequest }
  | { type: 'wallTimeOver' }
  /** Its workspace takes too much of the disk. */
  | { type: 'diskUsedUp'; space: Space }
  /** The time from the signal of a stop to its KILL has passed. */
  | { type: 'graceOver' }
  | { type: 'pause' }
  | { type: 'resume' }
  /** It is to be looked whether what is paused stands still; `thenMs` later once more. */
  | { type: 'pauseLookDue'; thenMs: number }
  /** What is left of the tree is to be looked at; `thenMs` later once more. */
  | { type: 'lookDue'; thenMs: number }
  /** Whatever can be found is to be killed once more. */
  | { type: 'lastKillDue' }
  /** That was some time ago: it ends without what is still there. */
  | { type: 'givenUp' };

/** The state, or states, of this name. */
export type In<S extends TaskState['is']> = Extract<TaskState, { is: S }>;
/** The event of this name. */
export type On<E extends TaskEvent['type']> = Extract<TaskEvent, { type: E }>;
