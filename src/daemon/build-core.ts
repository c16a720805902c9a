import { randomUUID } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import { isSea } from 'node:sea';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { LocalExecutor } from '../executor/local/local-executor.js';
import { Ledger } from '../ledger/ledger.js';
import { WaitingQueue } from '../ledger/scheduler.js';
import { Announcer } from '../runtime/announcer.js';
import type { Core } from '../runtime/core.js';
import type { TaskOwner } from '../runtime/files/task-owner.js';
import { AttemptEvents } from '../runtime/lifecycle/attempt-events.js';
import { pump } from '../runtime/lifecycle/dispatch.js';
import { LiveTasks } from '../runtime/live-tasks.js';
import type { InlineTexts } from '../runtime/output/inline-text.js';
import type { FileThread } from '../runtime/upkeep/file-thread.js';
import type { Config } from './config.js';
import type { DataDirectory } from './data-directory.js';
import type { Host } from './host.js';
import { inheritedEnvironment } from './inherited-environment.js';

/** The compiled program, run again as the supervisor; the single executable is its own entry. */
const ENTRY = isSea() ? undefined : fileURLToPath(new URL('../../bin/execgo.js', import.meta.url));

export interface CoreParts {
  config: Config;
  version: string;
  log: Logger;
  env: NodeJS.ProcessEnv;
  now: () => number;
  taskOwner: TaskOwner | undefined;
  data: DataDirectory;
  host: Host;
  files: FileThread;
  inlineTexts: InlineTexts;
}

/** What the use cases work with: nothing of it runs yet. */
export function buildCore(parts: CoreParts): Core {
  const { config, host, data, log, now } = parts;
  const steady = () => performance.timeOrigin + performance.now();
  const core: Core = {
    settings: {
      dataDir: config.dataDir,
      maxQueuedTasks: config.maxQueuedTasks,
      defaultWallTimeMs: config.defaultWallTimeMs,
      outputKeepBytes: config.outputKeepBytes,
      defaultCapabilityMode: config.defaultCapabilityMode,
      taskUser: config.taskUser,
      allowRootfs: config.allowRootfs,
      machine: { hostname: os.hostname(), profile: config.profile, tags: config.tags },
      taskOwner: parts.taskOwner,
      capabilities: host.capabilities,
    },
    store: data.store,
    ledger: new Ledger({ capacity: host.capacity, quotas: config.tenantQuotas }),
    waiting: new WaitingQueue({ starvationMs: config.starvationMs }),
    live: new LiveTasks({ now, steady }),
    announcer: new Announcer(),
    executor: localExecutor(parts, () => core),
    inlineTexts: parts.inlineTexts,
    files: parts.files,
    log,
    now,
    steady,
    newToken: randomUUID,
    unmatched: new Set(),
    unlaunched: new Set(),
    accepting: true,
  };
  core.announcer.onAnyEnd(() => {
    pump(core);
  });
  return core;
}

function localExecutor(parts: CoreParts, core: () => Core): LocalExecutor {
  const { config, version, env, host, data, log, now } = parts;
  const { dataDir, terminationGraceMs, outputKeepBytes, allowRootfs, launcher } = config;
  return new LocalExecutor(
    {
      root: path.join(dataDir, 'supervisor'),
      version,
      bootId: data.bootId,
      entry: ENTRY,
      launcher,
      settings: {
        dataDir,
        terminationGraceMs,
        outputKeepBytes,
        allowRootfs,
        baseEnv: inheritedEnvironment(env),
        capabilities: host.capabilities,
        cgroupLayout: host.layout,
      },
      store: data.store,
      log,
      now,
    },
    new AttemptEvents(core),
  );
}
