import type { TaskRecord } from '../store/records.js';
import type { FirstStop } from './lifecycle/classify.js';

/** A task that is not terminal. The record says what is committed; the rest is what is under way. */
export interface LiveTask {
  readonly record: TaskRecord;
  /** Settles when the dispatch under way is committed or has failed; undefined when none is. */
  dispatching: Promise<void> | undefined;
  /**
   * Its end is being committed: whoever comes now comes after it. Resolves with true once that is done, with false when
   * the store was closed before: then the next start is told again.
   */
  ending: Promise<boolean> | undefined;
  /** Set as soon as it is known, before its row is written: decides the end. */
  firstStop: FirstStop;
  /** A kill was asked for; kept even when its row cannot be written. */
  kill: KillRequest | undefined;
  /** False until this daemon has seen the task's files: a crash of the machine may have eaten them. */
  filesChecked: boolean;
  /** Its launch that was refused last: it has not begun, and nothing that is still told of it counts. */
  refused: number | undefined;
  /** How often in a row the place that takes launches has refused this one. */
  refusals: number;
  /** Clears the timer of `queue_timeout_ms`. */
  cancelQueueTimeout: (() => void) | undefined;
  /** When it was accepted and when its process started, on the steady clock; undefined until somebody needs it. */
  acceptedAt: number | undefined;
  startedAt: number | undefined;
}

/** How to kill: signal number and milliseconds; absent values are the launch's own. */
export interface KillRequest {
  signal?: number | undefined;
  grace_ms?: number | undefined;
}

/** @param firstStop which came first, when the record has both a kill and a timeout */
export function liveTask(record: TaskRecord, filesChecked: boolean, firstStop?: FirstStop): LiveTask {
  const only = record.kill_requested ? 'kill' : record.timeout_triggered ? 'timeout' : undefined;
  return {
    record,
    dispatching: undefined,
    ending: undefined,
    firstStop: firstStop ?? only,
    kill: record.kill_requested ? {} : undefined,
    filesChecked,
    refused: undefined,
    refusals: 0,
    cancelQueueTimeout: undefined,
    acceptedAt: undefined,
    startedAt: undefined,
  };
}

/** The tasks that are accepted or running. Changed only after the database was. */
export class LiveTasks {
  private readonly byId = new Map<string, LiveTask>();
  private readonly launches = new Map<number, LiveTask>();

  add(task: LiveTask): void {
    this.byId.set(task.record.task_id, task);
    if (task.record.launch_id !== null) this.launches.set(task.record.launch_id, task);
  }

  get(taskId: string): LiveTask | undefined {
    return this.byId.get(taskId);
  }

  all(): IterableIterator<LiveTask> {
    return this.byId.values();
  }

  byLaunch(launchId: number): LiveTask | undefined {
    return this.launches.get(launchId);
  }

  /** Takes over committed values of the record. */
  update(task: LiveTask, committed: Partial<TaskRecord>): void {
    if (committed.launch_id !== undefined && task.record.launch_id !== null)
      this.launches.delete(task.record.launch_id);
    Object.assign(task.record, committed);
    if (task.record.launch_id !== null) this.launches.set(task.record.launch_id, task);
  }

  remove({ record }: LiveTask): void {
    this.byId.delete(record.task_id);
    if (record.launch_id !== null) this.launches.delete(record.launch_id);
  }
}
