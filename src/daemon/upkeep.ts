import type { Core } from '../runtime/core.js';
import { Collector } from '../runtime/upkeep/collector.js';
import { DiskUsage } from '../runtime/upkeep/disk-usage.js';
import { Maintenance } from '../runtime/upkeep/maintenance.js';
import { repairFiles } from '../runtime/upkeep/repair.js';
import { WalKeeper } from '../runtime/upkeep/wal-keeper.js';
import type { RetentionPolicy } from '../store/tasks/kept-tasks.js';
import type { Config } from './config.js';
import type { Part } from './lifecycle.js';

interface Given {
  config: Config;
  core: Core;
}

/** Removes ended tasks, when it is told to. */
export const collector: Part<Given, Collector> = {
  start: ({ config, core }) => new Collector(removalOf(core), retentionPolicy(config)),
};

/** What is done beside the tasks, from now on. */
export const maintenance: Part<Given & { collector: Collector }, Maintenance> = {
  start: ({ config, core, collector }) => {
    const { store, log } = core;
    // Measuring what ended tasks take costs a look at each of their files: it is done only for a bound on it.
    const diskUsage = collector.policy.maxBytes === undefined ? undefined : new DiskUsage(removalOf(core));
    core.announcer.onAnyEnd((taskId) => diskUsage?.ended(taskId));
    const started = new Maintenance({
      store,
      collector,
      diskUsage,
      wal: new WalKeeper(store, log),
      repair: (signal) => repairFiles(core, signal),
      keyRetentionMs: config.idempotencyRetentionSecs * 1000,
      log,
      intervalMs: config.gcIntervalMs,
    });
    started.start();
    return started;
  },
  stop: (started) => started.stop(),
};

const removalOf = ({ settings: { dataDir }, store, files, log }: Core) => ({ dataDir, store, files, log });

function retentionPolicy(config: Config): RetentionPolicy {
  const bound = (value: number) => (value === 0 ? undefined : value);
  return {
    maxAgeMs: config.resultRetentionSecs * 1000,
    maxTasks: bound(config.retainMaxTasks),
    maxBytes: bound(config.retainMaxBytes),
  };
}
