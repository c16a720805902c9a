import type { TaskOutput } from '../capture/task-output.js';
import type { Clock } from '../clock.js';
import type { Log } from '../log.js';
import type { Launcher } from '../spawn/launcher.js';
import type { LaunchSpec, Outcome, Running } from '../wire/protocol.js';
import type { DiskMeter } from './disk-watch.js';
import type { ChainWatch } from './chain-watch.js';
import type { TaskEvent } from './task-states.js';
import type { TaskTracking } from './task-tracking.js';

/** What all attempts work with, and whom they tell. */
export interface TaskRunContext {
  launcher: Launcher;
  diskMeter: DiskMeter;
  clock: Clock;
  log: Log;
  /** The process exists; whether the program is reached is not known yet. */
  spawned(running: Running): void;
  /** The program runs. */
  started(running: Running): void;
  /** The wall time has passed. */
  timedOut(atMs: number): void;
  /** Nothing of it runs any more; its wall time stands still since then. Unix time. */
  paused(sinceMs: number): void;
  /** It runs again, or has not been paused, since then. Unix time. @param reason why it could not be paused */
  resumed(sinceMs: number, reason?: string): void;
  /** Everything is over. Called once. */
  ended(outcome: Outcome): void;
}

/** What one attempt has from its message to its outcome, whatever its state. */
export interface TaskTools {
  readonly launchId: number;
  readonly token: string;
  /** Arguments and environment may be megabytes, and are needed only until the spawn. */
  readonly spec: Omit<LaunchSpec, 'argv' | 'env'>;
  readonly program: string;
  readonly context: TaskRunContext;
  readonly output: TaskOutput;
  readonly tracking: TaskTracking;
  /** Absent when the program is spawned directly. */
  readonly chain: ChainWatch | undefined;
  /** Says what has happened; dealt with after the step that is under way, if there is one. */
  readonly raise: (event: TaskEvent) => void;
}
