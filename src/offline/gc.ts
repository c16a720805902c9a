import { Collector } from '../runtime/upkeep/collector.js';
import { FileThread } from '../runtime/upkeep/file-thread.js';
import { emptyOut, type RemovalParts } from '../runtime/upkeep/remove-tasks.js';
import { readBootId } from '../sandbox/process/process-identity.js';
import { lockDataDirWhenFree, servingDaemon } from '../store/database/data-dir-lock.js';
import type { RetentionPolicy } from '../store/tasks/kept-tasks.js';
import { openStore } from '../store/open.js';
import { GC_IDS_MAX, type GcRequest } from '../task/gc.js';
import type { GcReport } from '../task/runtime-view.js';
import { requireDatabase } from './readable.js';

/** How long the data directory is locked at a time, in milliseconds: a daemon that starts meanwhile waits for it. */
const SLICE_MS = 500;
/** How long to wait for the lock, in milliseconds: another collection may be running, or a daemon starting. */
const PATIENCE_MS = 60_000;
/** The policy when no daemon has left one: the default of its flag. */
const DEFAULT_POLICY: RetentionPolicy = { maxAgeMs: 604_800_000, maxTasks: undefined, maxBytes: undefined };

type Log = RemovalParts['log'];

/**
 * The result of a collection. With the address of a daemon: that holds the data directory now, and must be asked for the
 * rest; `report` is what was done before it came, if anything.
 */
export type OfflineGc = { report: GcReport } | { daemon: string; report?: GcReport | undefined };

/**
 * Collects garbage in a data directory that no daemon holds, by the policy that its last daemon left. Works in short slices
 * and unlocks the directory between them, so that a second collection or a daemon that starts waits only for a moment. Files
 * are deleted while it is unlocked.
 * @throws ExecgoError when there is no database, it needs another version, or another process holds the lock for too long
 */
export async function collectOffline(dataDir: string, request: GcRequest, log: Log): Promise<OfflineGc> {
  requireDatabase(dataDir);
  const files = new FileThread(dataDir);
  try {
    return request.dry_run === true
      ? await look(dataDir, request, files, log)
      : await collect(dataDir, request, files, log);
  } finally {
    await files.close();
  }
}

/** A dry run: it only reads, so it needs no lock. */
async function look(dataDir: string, request: GcRequest, files: FileThread, log: Log): Promise<OfflineGc> {
  const daemon = servingDaemon(dataDir);
  if (daemon !== undefined) return { daemon: daemon.listen_addr };
  const store = open(dataDir);
  try {
    const collector = new Collector({ dataDir, store, files, log }, store.kept.policy() ?? DEFAULT_POLICY);
    return { report: await collector.collect(request) };
  } finally {
    store.close();
  }
}

async function collect(dataDir: string, request: GcRequest, files: FileThread, log: Log): Promise<OfflineGc> {
  const began = performance.now();
  let total: GcReport | undefined;
  for (let more = true; more;) {
    const slice = await oneSlice(dataDir, request, files, log);
    if ('daemon' in slice) return { ...slice, report: total };
    const { bytes, problems } = await emptyOut({ files, log }, slice.trashed);
    slice.report.bytes_freed += bytes;
    slice.report.problems.push(...problems);
    total = total === undefined ? slice.report : addReports(total, slice.report);
    more = slice.more && slice.report.removed > 0;
  }
  if (total === undefined) throw new Error('a collection has at least one slice');
  return { report: { ...total, duration_ms: Math.round(performance.now() - began) } };
}

async function oneSlice(
  dataDir: string,
  request: GcRequest,
  files: FileThread,
  log: Log,
): Promise<{ daemon: string } | { report: GcReport; trashed: string[]; more: boolean }> {
  const lock = await lockDataDirWhenFree(dataDir, PATIENCE_MS).catch((error: unknown) => {
    const daemon = servingDaemon(dataDir);
    if (daemon === undefined) throw error;
    return { daemon: daemon.listen_addr };
  });
  if ('daemon' in lock) return lock;
  try {
    lock.describe({
      pid: process.pid,
      listen_addr: '',
      started_at: new Date().toISOString(),
      purpose: 'a garbage collection',
    });
    const store = open(dataDir);
    try {
      const trashed: string[] = [];
      const parts = { dataDir, store, files, log };
      const collector = new Collector(parts, store.kept.policy() ?? DEFAULT_POLICY, (paths) => {
        trashed.push(...paths);
        return Promise.resolve({ bytes: 0, problems: [] });
      });
      const timeUp = AbortSignal.timeout(SLICE_MS);
      const report = await collector.collect(request, timeUp);
      await store.commits.write(() => {
        store.kept.saveClock();
      });
      return { report, trashed, more: timeUp.aborted };
    } finally {
      store.close();
    }
  } finally {
    lock.release();
  }
}

function open(dataDir: string) {
  return openStore({ dataDir, now: Date.now, bootId: readBootId(), asItIs: true });
}

/** What two collections did, one after the other. */
export function addReports(a: GcReport, b: GcReport): GcReport {
  return {
    ...b,
    candidates: a.candidates + b.candidates,
    removed: a.removed + b.removed,
    bytes_freed: a.bytes_freed + b.bytes_freed,
    tasks: [...a.tasks, ...b.tasks].slice(0, GC_IDS_MAX),
    problems: [...new Set([...a.problems, ...b.problems])].slice(0, GC_IDS_MAX),
    duration_ms: a.duration_ms + b.duration_ms,
  };
}
