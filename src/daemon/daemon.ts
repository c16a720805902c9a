import { randomUUID } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import { isSea } from 'node:sea';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { makeDirectories } from '../files/make-directories.js';
import { Closers } from './closers.js';
import type { Config } from './config.js';
import { inheritedEnvironment } from './inherited-environment.js';
import { launcherKind } from '../supervisor/spawn/choose-launcher.js';
import { Ledger } from '../ledger/ledger.js';
import { WaitingQueue } from '../ledger/scheduler.js';
import { Announcer } from '../runtime/announcer.js';
import { detectCapacity } from '../executor/local/capacity.js';
import { Collector } from '../runtime/upkeep/collector.js';
import { LocalExecutor } from '../executor/local/local-executor.js';
import type { Core } from '../runtime/core.js';
import { AttemptEvents } from '../runtime/lifecycle/attempt-events.js';
import { pump } from '../runtime/lifecycle/dispatch.js';
import { drained } from '../runtime/lifecycle/drain.js';
import { DiskUsage } from '../runtime/upkeep/disk-usage.js';
import { FileThread } from '../runtime/upkeep/file-thread.js';
import { LiveTasks } from '../runtime/live-tasks.js';
import { Maintenance } from '../runtime/upkeep/maintenance.js';
import { refuseLiveShims } from '../runtime/recovery/old-shims.js';
import { InlineTexts } from '../runtime/output/inline-text.js';
import { planWaiting } from '../runtime/recovery/plan-waiting.js';
import { endHopeless, adoptAttempts, loadLiveTasks } from '../runtime/recovery/recover.js';
import type { RemovalParts } from '../runtime/upkeep/remove-tasks.js';
import { repairFiles } from '../runtime/upkeep/repair.js';
import { makeTaskId } from '../runtime/lifecycle/task-id.js';
import { letThrough, taskOwnerOf } from '../runtime/files/task-owner.js';
import { WalKeeper } from '../runtime/upkeep/wal-keeper.js';
import { probeCapabilities } from '../sandbox/capabilities.js';
import { readBootId } from '../sandbox/process/process-identity.js';
import { lockDataDirWhenFree } from '../store/database/data-dir-lock.js';
import type { RetentionPolicy } from '../store/tasks/kept-tasks.js';
import { olderDataDir } from '../store/database/older-data-dir.js';
import { openStore } from '../store/open.js';
import { serveHttp } from './serve-http.js';

/** The compiled program, run again as the supervisor; the single executable is its own entry. */
const ENTRY = isSea() ? undefined : fileURLToPath(new URL('../../bin/execgo.js', import.meta.url));

/** A garbage collection without a daemon holds the data directory for about a second at a time. */
const LOCK_PATIENCE_MS = 10_000;

/** A daemon that serves. */
export interface Daemon {
  /** Where it listens, e.g. `http://127.0.0.1:8080`. */
  url: string;
  dataDir: string;
  /** Pid of the supervisor that new tasks go to. */
  supervisorPid: number | undefined;
  /**
   * Stops: running tasks go on in the supervisor. Resolves when everything is closed.
   * @param drain wait for the running tasks first; nothing new is accepted or started meanwhile
   */
  stop: (drain: boolean) => Promise<void>;
}

export interface DaemonOptions {
  config: Config;
  version: string;
  log: Logger;
  env: NodeJS.ProcessEnv;
}

/**
 * Builds and connects everything: lock → database → host → live tasks → supervisors → HTTP. Answers only once recovery
 * is done.
 * @throws ExecgoError saying why it cannot start; nothing is left behind then
 */
export async function startDaemon({ config, version, log, env }: DaemonOptions): Promise<Daemon> {
  const now = Date.now;
  const startedAt = now();
  const taskOwner = taskOwnerOf(config.taskUser);
  const lock = await lockDataDirWhenFree(config.dataDir, LOCK_PATIENCE_MS);
  const closers = new Closers();
  closers.push(lock.release);
  try {
    refuseLiveShims(config.dataDir);
    const older = olderDataDir(process.cwd(), config.dataDir);
    if (older !== undefined)
      log.warn(
        { older, data_dir: config.dataDir },
        `${older} holds tasks of the older runtime, and this daemon starts with an empty directory: to take them over, ` +
          `stop this daemon and the older runtime, and start with --data-dir ${older}`,
      );
    const bootId = readBootId();
    const store = openStore({ dataDir: config.dataDir, now, bootId });
    closers.push(() => {
      store.close();
    });
    // Only now: beside a database that is refused nothing is made.
    for (const dir of ['tasks', 'supervisor', 'trash', 'sessions'])
      makeDirectories(path.join(config.dataDir, dir), 0o700);
    for (const dir of ['', 'tasks', 'sessions']) letThrough(path.join(config.dataDir, dir), taskOwner);
    store.saveTaskGroup(taskOwner?.gid);
    const launcher = await launcherKind(config.launcher);
    const { capabilities, layout } = await probeCapabilities({ ...config, launcher, now });
    const capacity = detectCapacity({
      taskSlots: config.maxRunningTasks,
      cpuMillis: config.capacityCpuMillis,
      memoryBytes: config.capacityMemoryBytes,
      pids: config.capacityPids,
    });
    const steady = () => performance.timeOrigin + performance.now();
    const live = new LiveTasks({ now, steady });
    const files = new FileThread(config.dataDir);
    closers.push(() => files.close());
    const removal = { dataDir: config.dataDir, store, files, log };
    const launching = {
      dataDir: config.dataDir,
      terminationGraceMs: config.terminationGraceMs,
      outputKeepBytes: config.outputKeepBytes,
      allowRootfs: config.allowRootfs,
      baseEnv: inheritedEnvironment(env),
      capabilities,
      cgroupLayout: layout,
    };
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
        taskOwner,
        capabilities,
      },
      store,
      ledger: new Ledger({ capacity, quotas: config.tenantQuotas }),
      waiting: new WaitingQueue({ starvationMs: config.starvationMs }),
      live,
      announcer: new Announcer(),
      executor: new LocalExecutor(
        {
          root: path.join(config.dataDir, 'supervisor'),
          version,
          bootId,
          entry: ENTRY,
          launcher: config.launcher,
          settings: launching,
          store,
          log,
          now,
        },
        new AttemptEvents(() => core),
      ),
      inlineTexts: new InlineTexts(),
      files,
      collector: new Collector(removal, retentionPolicy(config)),
      log,
      now,
      steady,
      newId: () => makeTaskId(now()),
      newToken: randomUUID,
      inserting: new Set(),
      claiming: new Map(),
      unmatched: new Set(),
      unlaunched: new Set(),
      accepting: true,
    };
    closers.push(() => core.inlineTexts.close());
    core.announcer.onAnyEnd(() => {
      pump(core);
    });
    const found = loadLiveTasks(core);
    await planWaiting(core);
    const adopted = await adoptAttempts(core);
    await endHopeless(core);
    if (core.unmatched.size > 0)
      log.warn(
        { tasks: core.unmatched.size },
        'some tasks wait for a machine with another name, profile or tags',
      );
    closers.push(() => {
      const idle = ![...live.all()].some((t) => t.record.status === 'running');
      return core.executor.close(idle);
    });
    await core.executor.start(adopted);
    const safetyNet = setInterval(() => {
      pump(core);
    }, config.dispatchPollIntervalMs);
    closers.push(() => {
      clearInterval(safetyNet);
    });
    pump(core);
    const http = await serveHttp({ core, config, capabilities, capacity, version, startedAt, env });
    closers.push(http.stop);
    const maintenance = startMaintenance(core, removal, config);
    closers.push(() => maintenance.stop());
    lock.describe({ pid: process.pid, listen_addr: http.url, started_at: new Date(startedAt).toISOString() });
    log.info(
      {
        url: http.url,
        runtime_id: http.runtimeId,
        pid: process.pid,
        supervisor_pid: core.executor.place?.pid,
        data_dir: config.dataDir,
        version,
        recovered: found,
        capacity,
      },
      'listening',
    );
    return {
      url: http.url,
      dataDir: config.dataDir,
      supervisorPid: core.executor.place?.pid,
      stop: async (drain) => {
        core.accepting = false;
        if (drain) await drained(core);
        await closers.close();
      },
    };
  } catch (error) {
    await closers.close().catch((closing: unknown) => {
      log.error({ err: closing }, 'not everything could be closed after the start had failed');
    });
    throw error;
  }
}

/** Measuring what ended tasks take costs a look at each of their files: it is done only for a bound on it. */
function startMaintenance(core: Core, removal: RemovalParts, config: Config): Maintenance {
  const { store, log, collector } = core;
  const diskUsage = collector.policy.maxBytes === undefined ? undefined : new DiskUsage(removal);
  core.announcer.onAnyEnd((taskId) => diskUsage?.ended(taskId));
  const maintenance = new Maintenance({
    store,
    collector,
    diskUsage,
    wal: new WalKeeper(store, log),
    repair: (signal) => repairFiles(core, signal),
    keyRetentionMs: config.idempotencyRetentionSecs * 1000,
    log,
    intervalMs: config.gcIntervalMs,
  });
  maintenance.start();
  return maintenance;
}

function retentionPolicy(config: Config): RetentionPolicy {
  const bound = (value: number) => (value === 0 ? undefined : value);
  return {
    maxAgeMs: config.resultRetentionSecs * 1000,
    maxTasks: bound(config.retainMaxTasks),
    maxBytes: bound(config.retainMaxBytes),
  };
}
