import type { Clock } from '../clock.js';
import type { Launcher } from '../spawn/launcher.js';
import type { Log } from '../log.js';
import type { Outcome, Running } from '../wire/protocol.js';

/** What a run works with, and whom it tells. */
export interface TaskRunContext {
  launcher: Launcher;
  clock: Clock;
  log: Log;
  /** The process exists; whether the program is reached is not known yet. */
  spawned(running: Running): void;
  /** The program runs. */
  started(running: Running): void;
  /** The wall time has passed. */
  timedOut(atMs: number): void;
  /** Everything is over. Called once. */
  ended(outcome: Outcome): void;
}
