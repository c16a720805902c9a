import type { Logger } from 'pino';
import type { Store } from '../store/store.js';
import type { HostCapabilities } from '../task/capabilities.js';
import type { Machine } from '../task/demands.js';
import type { Announcer } from './announcer.js';
import type { LiveTasks } from './live-tasks.js';
import type { TaskOwner } from './files/task-owner.js';

/** Settings of the runtime. Milliseconds, bytes; paths are absolute. */
export interface RuntimeSettings {
  dataDir: string;
  maxQueuedTasks: number;
  /** 0: without a bound. */
  maxQueuedPerTenant: number;
  /** How many sessions there may be that are not evicted. */
  maxSessions: number;
  /** What a file that is put into a workspace may have. */
  maxFileBytes: number;
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

/** What the use cases have in common. Whatever else one works with, it names itself beside this. */
export interface Core {
  readonly settings: RuntimeSettings;
  readonly store: Store;
  readonly live: LiveTasks;
  readonly announcer: Announcer;
  readonly log: Logger;
  /** Unix time in milliseconds. */
  readonly now: () => number;
}
