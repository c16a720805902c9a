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

/** Settings of the runtime. Milliseconds, bytes; paths are absolute. */
export interface RuntimeSettings {
  dataDir: string;
  maxQueuedTasks: number;
  /** For requests that do not name one; 0: without limit. */
  defaultWallTimeMs: number;
  /** How much of a stream is kept from its start, when the request does not say and its view is not larger. */
  outputKeepBytes: number;
  defaultCapabilityMode: 'adaptive' | 'strict';
  taskUser: string | undefined;
  /** The machine that the demands of tasks are compared with. */
  machine: Machine;
  /** The numbers of `taskUser`; undefined also where the daemon may not switch users, and so refuses every task. */
  taskOwner: TaskOwner | undefined;
  /** The directories in or below which a task's root file system may be. */
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
  /** Removes, measures and inspects files in a worker thread. */
  readonly files: FileThread;
  readonly log: Logger;
  /** Unix time in milliseconds. */
  readonly now: () => number;
  /** Unix time at the start, plus the time since by a clock that is never set; for all durations. Milliseconds. */
  readonly steady: () => number;
  /** Makes random tokens. */
  readonly newToken: () => string;
  /** Waiting tasks that demand what this machine does not have: the scheduler does not look at them. */
  readonly unmatched: Set<string>;
  /**
   * Tasks that are committed as running but whose attempt never began: they get another attempt before anything new starts.
   */
  readonly unlaunched: Set<LiveTask>;
  /** False once the daemon is stopping: nothing is accepted or started any more. */
  accepting: boolean;
}
