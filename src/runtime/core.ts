import type { Logger } from 'pino';
import type { Ledger } from '../ledger/ledger.js';
import type { WaitingQueue } from '../ledger/scheduler.js';
import type { Store } from '../store/store.js';
import type { HostCapabilities } from '../task/capabilities.js';
import type { Machine } from '../task/demands.js';
import type { Announcer } from './announcer.js';
import type { FileThread } from './upkeep/file-thread.js';
import type { InlineTexts } from './output/inline-text.js';
import type { LiveTask, LiveTasks } from './live-tasks.js';
import type { TaskOwner } from './files/task-owner.js';
import type { Executor } from '../executor/executor.js';

/** What the runtime is told. Milliseconds, bytes; paths are absolute. */
export interface RuntimeSettings {
  dataDir: string;
  maxQueuedTasks: number;
  /** For requests that name none; 0: as long as it takes. */
  defaultWallTimeMs: number;
  /** What is kept of a stream from its start, where the request does not say and does not want to see more. */
  outputKeepBytes: number;
  defaultCapabilityMode: 'adaptive' | 'strict';
  taskUser: string | undefined;
  /** What demands of tasks are matched against. */
  machine: Machine;
  /** The numbers of `taskUser`; undefined also where the daemon may not switch users, and so refuses every task. */
  taskOwner: TaskOwner | undefined;
  /** Directories in or below which a task's root file system may be. */
  allowRootfs: readonly string[];
  capabilities: HostCapabilities;
}

/** The parts that every use case of the runtime works with; built once, by the daemon. */
export interface Core {
  readonly settings: RuntimeSettings;
  readonly store: Store;
  readonly ledger: Ledger;
  readonly waiting: WaitingQueue;
  readonly live: LiveTasks;
  readonly announcer: Announcer;
  readonly executor: Executor;
  readonly inlineTexts: InlineTexts;
  /** Removes, measures and inspects files away from the event loop. */
  readonly files: FileThread;
  readonly log: Logger;
  /** Unix time in milliseconds. */
  readonly now: () => number;
  /** Unix time in milliseconds as it was at the start, counted on by a clock that is never set: for all durations. */
  readonly steady: () => number;
  /** What nobody can guess. */
  readonly newToken: () => string;
  /** Tasks that wait and demand what this machine does not have: they are not looked at for room, and take none. */
  readonly unmatched: Set<string>;
  /** Tasks that are committed as running and whose launch never began: they get another one before anything new starts. */
  readonly unlaunched: Set<LiveTask>;
  /** False once the daemon is on its way out: nothing is accepted or started any more. */
  accepting: boolean;
}
