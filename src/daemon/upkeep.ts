import type { Announcer } from '../runtime/announcer.js';
import type { RemovingCore } from '../runtime/sessions/remove.js';
import { SessionSweep, type SessionPolicy } from '../runtime/sessions/sweep.js';
import { Collector } from '../runtime/upkeep/collector.js';
import { DiskUsage } from '../runtime/upkeep/disk-usage.js';
import { Maintenance } from '../runtime/upkeep/maintenance.js';
import { repairFiles } from '../runtime/upkeep/repair.js';
import type { RepairCore } from '../runtime/upkeep/repairs.js';
import { WalKeeper } from '../runtime/upkeep/wal-keeper.js';
import type { RetentionPolicy } from '../store/tasks/kept-tasks.js';
import type { Config } from './config.js';
import type { Part } from './lifecycle.js';

type Given = RepairCore & { config: Config };
type Kept = Given & RemovingCore & { announcer: Announcer; collector: Collector };

/** Removes ended tasks, when it is told to. */
export const collector: Part<Given, Collector> = {
  start: (parts) => new Collector(removalOf(parts), retentionPolicy(parts.config)),
};

/** What is done beside the tasks, from now on. */
export const maintenance: Part<Kept, Maintenance> = {
  start: (parts) => {
    const { config, collector, store, announcer, log } = parts;
    // Measuring what ended tasks take costs a look at each of their files: it is done only for a bound on it.
    const diskUsage = collector.policy.maxBytes === undefined ? undefined : new DiskUsage(removalOf(parts));
    announcer.onAnyEnd((taskId) => diskUsage?.ended(taskId));
    const sweep = new SessionSweep(parts, sessionPolicy(config));
    const started = new Maintenance({
      store,
      collector,
      sessions: (signal) => sweep.round(signal),
      diskUsage,
      wal: new WalKeeper(store, log),
      repair: (signal) => repairFiles(parts, signal),
      keyRetentionMs: config.idempotencyRetentionSecs * 1000,
      endRetentionMs: config.rememberEndsSecs * 1000,
      log,
      intervalMs: config.gcIntervalMs,
    });
    started.start();
    return started;
  },
  stop: (started) => started.stop(),
};

const removalOf = ({ config: { dataDir }, store, files, log }: Given) => ({ dataDir, store, files, log });

function sessionPolicy({ sessionIdleSecs, sessionTombstoneSecs }: Config): SessionPolicy {
  return {
    idleMs: sessionIdleSecs === 0 ? undefined : sessionIdleSecs * 1000,
    evictedMs: sessionTombstoneSecs * 1000,
  };
}

function retentionPolicy(config: Config): RetentionPolicy {
  const bound = (value: number) => (value === 0 ? undefined : value);
  return {
    maxAgeMs: config.resultRetentionSecs * 1000,
    maxTasks: bound(config.retainMaxTasks),
    maxBytes: bound(config.retainMaxBytes),
  };
}
