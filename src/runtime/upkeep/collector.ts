import { setImmediate as nextTurn } from 'node:timers/promises';
import { canNameDirectory } from '../../task/ids.js';
import { OLDEST, type AgeCursor, type KeptTask, type RetentionPolicy } from '../../store/tasks/kept-tasks.js';
import { ExecgoError } from '../../task/errors.js';
import { GC_IDS_MAX, type GcRequest } from '../../task/gc.js';
import type { GcReport } from '../../task/runtime-view.js';
import type { Removal } from './remove-tree.js';
import { emptyOut, removeRows, type FailedTask, type RemovalParts } from './remove-tasks.js';
import { messageOf } from '../../files/errno.js';

/** How many tasks are removed in one transaction: some milliseconds of the event loop. */
const BATCH = 32;
/** How long a task that could not be removed is left alone, in milliseconds of the retention clock. */
const STUCK_MS = 600_000;

/** How much a pass may still remove beyond the tasks that are too old. */
interface Excess {
  /** Time on the retention clock; tasks that ended then or before are too old. */
  endedUpToMs: number;
  tasks: number;
  bytes: number;
}

/**
 * Garbage collection: removes ended tasks by age, by number and by the disk space they take, always the oldest first. Never
 * removes a task that has not ended or is pinned. Works in small batches and waits for each, so that it goes no faster than
 * the disk, and other writes come in between.
 */
export class Collector {
  readonly #stuck = new Map<string, number>();
  #passes = 0;
  #removed = 0;
  #bytesFreed = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly parts: RemovalParts,
    readonly policy: RetentionPolicy,
    /** Removes the trash entries with these names. */
    private readonly empty = (trashed: readonly string[]): Promise<Removal> => emptyOut(parts, trashed),
  ) {}

  /** How many collections were completed since this collector was made, and the tasks and bytes they removed. */
  get totals(): { passes: number; removed: number; bytes: number } {
    return { passes: this.#passes, removed: this.#removed, bytes: this.#bytesFreed };
  }

  /**
   * Removes what is due, or says what would be removed.
   * @param request without `older_than_ms` the policy decides
   * @param signal ends the collection after the current batch; what was removed until then is reported
   * @throws ExecgoError `insufficient_storage` or `unavailable` when the database cannot be written
   */
  collect(request: GcRequest, signal?: AbortSignal): Promise<GcReport> {
    return this.#inTurn(() => this.#collect(request, true, signal));
  }

  /**
   * As {@link collect} by the policy, but its writes wait for others, and tasks that could not be removed a moment ago are
   * skipped.
   */
  pass(signal: AbortSignal): Promise<GcReport> {
    return this.#inTurn(() => this.#collect({}, false, signal));
  }

  /** One collection at a time: two would each remove the excess. */
  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#last.then(action);
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #collect(request: GcRequest, inHurry: boolean, signal?: AbortSignal): Promise<GcReport> {
    const began = performance.now();
    const excess = this.#excess(request.older_than_ms);
    const report: GcReport = {
      dry_run: request.dry_run === true,
      candidates: 0,
      removed: 0,
      bytes_freed: 0,
      tasks: [],
      skipped_pinned: this.parts.store.kept.pinnedUpTo(excess.endedUpToMs),
      problems: [],
      duration_ms: 0,
    };
    let after: AgeCursor = OLDEST;
    while (signal?.aborted !== true) {
      const page = this.parts.store.kept.page(after, BATCH);
      const due = take(page, excess);
      const last = due.at(-1);
      if (last === undefined) break;
      after = last;
      const batch = due.filter((task) => inHurry || !this.#isStuck(task.task_id));
      report.candidates += batch.length;
      report.tasks.push(...batch.slice(0, GC_IDS_MAX - report.tasks.length).map((t) => t.task_id));
      if (report.dry_run) report.bytes_freed += await this.#bytesOf(batch);
      else {
        await this.#remove(batch, inHurry, report);
        Object.assign(excess, this.#beyondBounds(request.older_than_ms));
      }
      if (due.length < page.length) break;
      await nextTurn();
    }
    this.#passes++;
    report.duration_ms = Math.round(performance.now() - began);
    return report;
  }

  #excess(olderThanMs: number | undefined): Excess {
    const now = this.parts.store.kept.clock.now();
    return {
      endedUpToMs: now - (olderThanMs ?? this.policy.maxAgeMs),
      ...this.#beyondBounds(olderThanMs),
    };
  }

  #beyondBounds(olderThanMs: number | undefined): Pick<Excess, 'tasks' | 'bytes'> {
    if (olderThanMs !== undefined) return { tasks: 0, bytes: 0 };
    const { maxTasks, maxBytes } = this.policy;
    const kept = this.parts.store.kept.totals();
    return {
      tasks: maxTasks === undefined ? 0 : kept.tasks - maxTasks,
      bytes: maxBytes === undefined ? 0 : kept.bytes - maxBytes,
    };
  }

  async #remove(batch: readonly KeptTask[], inHurry: boolean, report: GcReport): Promise<void> {
    const { removed, failed } = await removeRows(
      this.parts,
      batch.map((task) => task.task_id),
      inHurry ? 'write' : 'writeAlong',
    );
    this.#removed += removed.length;
    report.removed += removed.length;
    for (const failure of failed) this.#fail(failure, report);
    const trashed = removed.flatMap((task) => task.trashed ?? []);
    const { bytes, problems } = await this.empty(trashed);
    this.#bytesFreed += bytes;
    report.bytes_freed += bytes;
    report.problems.push(...problems.slice(0, GC_IDS_MAX - report.problems.length));
  }

  /** @throws ExecgoError of the store: then no task can be removed, and it is not this task's fault */
  #fail({ task_id, error }: FailedTask, report: GcReport): void {
    if (error instanceof ExecgoError) throw error;
    this.#stuck.set(task_id, this.parts.store.kept.clock.now() + STUCK_MS);
    if (report.problems.length < GC_IDS_MAX)
      report.problems.push(`task ${task_id} cannot be removed: ${messageOf(error)}`);
    this.parts.log.warn({ err: error, task_id }, 'a task cannot be removed; will retry later');
  }

  #isStuck(taskId: string): boolean {
    const until = this.#stuck.get(taskId);
    if (until === undefined) return false;
    if (until > this.parts.store.kept.clock.now()) return true;
    this.#stuck.delete(taskId);
    return false;
  }

  async #bytesOf(batch: readonly KeptTask[]): Promise<number> {
    const unmeasured = batch.filter((task) => task.disk_bytes === null).map((task) => task.task_id);
    const measured = await this.parts.files.ask('measure', unmeasured.filter(canNameDirectory));
    return (
      batch.reduce((sum, task) => sum + (task.disk_bytes ?? 0), 0) +
      measured.reduce((sum, bytes) => sum + bytes, 0)
    );
  }
}

/**
 * The tasks of `page` that are due. The page is sorted by age, so after one that is not due no other is. Counts down
 * `excess`.
 */
function take(page: readonly KeptTask[], excess: Excess): KeptTask[] {
  const end = page.findIndex((task) => {
    const due = task.ages_from_ms <= excess.endedUpToMs || excess.tasks > 0 || excess.bytes > 0;
    excess.tasks -= 1;
    excess.bytes -= task.disk_bytes ?? 0;
    return !due;
  });
  return end < 0 ? [...page] : page.slice(0, end);
}
