import type { LiveRecord, RunningTask, WaitingTask } from '../store/records.js';
import type { ToldEvents } from '../store/told-events.js';
import { CountByKey } from './count-by-key.js';
import { bounded, eligibleInMs } from './not-yet.js';
import type { KillNote } from '../task/kill-note.js';
import type { KeptProgress } from '../task/progress.js';
import { QueueCounts } from './queue-counts.js';
import { concurrencyOf, groupOf, TaskSets } from './task-sets.js';
import { onSteadyClock, type Clocks } from './steady-clock.js';

/** What is committed of a task that is not terminal, and what its status has in memory beside the row. */
export type Phase = Waiting | Launched | Started;

export interface Waiting {
  name: 'waiting';
  record: WaitingTask;
  /** From when on it may start, on the steady clock. */
  mayStartAt: number;
  /**
   * Of tasks of the same priority in one queue the one with the lower number comes first; unique. Undefined while it may not start:
   * then it comes behind all that could before it.
   */
  place: number | undefined;
  /** Clears the timer of `queue_timeout_ms`; undefined while none runs. */
  cancelQueueTimeout: (() => void) | undefined;
}

/** Given to a place, or about to be. */
interface Launched {
  name: 'launched';
  record: RunningTask;
}

interface Started {
  name: 'started';
  record: RunningTask;
  /** When its process started, on the steady clock. */
  startedAt: number;
}

/** What is being committed of a task: whoever wants to change the task waits for that. */
export type UnderWay =
  /** Settles when the launch, the edit, or that it may start, is committed or has failed. */
  | { what: 'launch' | 'edit' | 'release'; settled: Promise<void> }
  /**
   * The end of its attempt: of the task, or of what another attempt follows. Resolves with true once it is committed; with false when the store was closed before, and the next daemon has to.
   */
  | {
      what: 'end';
      committed: Promise<boolean>;
      /** The statements for it were made, with all that was known before: no start follows. Also while they are not committed. */
      isWritten?: boolean;
    };

/** Why a task is to end, as soon as it is known, before its row is written: what came first decides the end. */
export type Stop =
  | { first: 'kill'; kill: KillRequest }
  /** Its wall time passed; a kill may have come after that. */
  | { first: 'timeout'; kill: KillRequest | undefined };

/** How to kill: signal number and milliseconds; absent values are the attempt's own. With who asks and why. */
export interface KillRequest {
  note?: KillNote | undefined;
  signal?: number | undefined;
  grace_ms?: number | undefined;
}

/** An attempt that its place has refused: it has not begun, and nothing that is still told of it counts. */
interface Refusal {
  launch_id: number;
  /** How often in a row that place has refused the task. */
  times: number;
}

/** That it stands still, or goes on: Unix time in milliseconds. */
export interface Turn {
  to: 'paused' | 'resumed';
  atMs: number;
  /** Why it goes on, where it could not be paused. */
  reason?: string | undefined;
}

/** What an attempt has said of how far it is. Times are those of `performance.now()`. */
export interface SaidProgress {
  latest: KeptProgress;
  isWritten: boolean;
  firstAt: number;
  writtenAt: number;
  /** When an event has told it last. */
  toldAt: number;
  timer: NodeJS.Timeout | undefined;
}

/** What a task has added to its history, and how much more it may at once. */
export interface SaidEvents extends ToldEvents {
  /** How many it may add now, as of `atMs` of `performance.now()`. */
  left: number;
  atMs: number;
}

/** A task that has not ended. `record` is what is committed; the other fields are about what is under way. */
export class LiveTask {
  phase: Phase;
  underWay: UnderWay | undefined;
  /** Kept also when its row cannot be written. */
  stop: Stop | undefined;
  refusal: Refusal | undefined;
  /** What its place has told last. */
  turn: Turn | undefined;
  /** What it has told itself, to this daemon. */
  progress: SaidProgress | undefined;
  said: SaidEvents | undefined;

  /**
   * @param filesChecked false until this daemon has seen the task's files: a crash of the machine may have eaten them
   * @param stop as it was written down
   */
  constructor(
    phase: Phase,
    public filesChecked: boolean,
    stop?: Stop,
  ) {
    this.phase = phase;
    this.stop = stop;
  }

  get record(): LiveRecord {
    return this.phase.record;
  }

  /** The number of its attempt; null while it waits, and for an attempt of the older runtime. */
  get launchId(): number | null {
    return this.phase.name === 'waiting' ? null : this.phase.record.attempt.launch_id;
  }

  /** Its record while it is at that attempt. */
  at(launchId: number): RunningTask | undefined {
    return this.phase.name !== 'waiting' && this.launchId === launchId ? this.phase.record : undefined;
  }

  /** Settles when the end of its attempt is committed, or is not going to be; undefined while that does not end. */
  get ending(): Promise<boolean> | undefined {
    return this.underWay?.what === 'end' ? this.underWay.committed : undefined;
  }

  get isEndWritten(): boolean {
    return this.underWay?.what === 'end' && this.underWay.isWritten === true;
  }

  /** To be called in the transaction that writes the end of its attempt. */
  endIsWritten(): void {
    if (this.underWay?.what === 'end') this.underWay.isWritten = true;
  }

  /** How it is to be killed, if it is. */
  get kill(): KillRequest | undefined {
    return this.stop?.kill;
  }

  /** Asks for its end; of two orders to kill the first counts. @returns the one that counts */
  stopByKill(how: KillRequest): KillRequest {
    this.stop ??= { first: 'kill', kill: how };
    return (this.stop.kill ??= how);
  }

  stopByTimeout(): void {
    this.stop ??= { first: 'timeout', kill: undefined };
  }

  /** Leaves behind what was about an attempt that another follows; a kill counts for the task. */
  forgetAttempt(): void {
    this.stop = this.kill && { first: 'kill', kill: this.kill };
    this.refusal = this.turn = undefined;
    clearTimeout(this.progress?.timer);
    this.progress = undefined;
    // What the attempt has done to them is looked at before the next.
    this.filesChecked = false;
  }
}

/** The tasks that are accepted or running. Changed only after the database has been changed. */
export class LiveTasks {
  private readonly byId = new Map<string, LiveTask>();
  private readonly attempts = new Map<number, LiveTask>();
  private readonly pausedTasks = new Set<LiveTask>();

  /** How many of each queue there are. */
  readonly counts: QueueCounts;
  /** Those that have a concurrency key, and those that are about to come. */
  readonly concurrency = new TaskSets(concurrencyOf);
  /** Those that have a group. */
  readonly groups = new TaskSets(groupOf);
  private readonly runningByGroup = new CountByKey<string>();

  constructor(private readonly clocks: Clocks) {
    this.counts = new QueueCounts(clocks.steady);
  }

  /** Takes a committed task in: see {@link LiveTask}. */
  add(record: LiveRecord, filesChecked: boolean, stop?: Stop): LiveTask {
    const task = new LiveTask(this.phaseOf(record), filesChecked, stop);
    this.byId.set(record.task_id, task);
    this.concurrency.add(record.task_id, record.request);
    this.groups.add(record.task_id, record.request);
    this.enter(task);
    return task;
  }

  get(taskId: string): LiveTask | undefined {
    return this.byId.get(taskId);
  }

  /** How many are paused. */
  get paused(): number {
    return this.pausedTasks.size;
  }

  all(): IterableIterator<LiveTask> {
    return this.byId.values();
  }

  byAttempt(launchId: number): LiveTask | undefined {
    return this.attempts.get(launchId);
  }

  /** Takes over what was committed of a task. To be called in the order of the commits. */
  update(task: LiveTask, record: LiveRecord): void {
    this.leave(task);
    const { phase } = task;
    const next = this.phaseOf(record);
    if (next.name !== 'waiting' && phase.name === 'waiting') this.counts.started(record);
    if (phase.name === 'waiting' && next.name === 'waiting') phase.record = next.record;
    else if (phase.name === 'started' && next.name === 'started') phase.record = next.record;
    else task.phase = next;
    // One that waits again comes behind those that wait.
    if (next.name === 'waiting' && phase.name !== 'waiting') next.place = undefined;
    if (phase.name === 'waiting' && next.name !== 'waiting') phase.cancelQueueTimeout?.();
    this.enter(task);
  }

  /** How long ago that was, in milliseconds. @param at time on the steady clock */
  sinceMs(at: number): number {
    return this.clocks.steady() - at;
  }

  /** Takes note that a task that waits may start from now on. @param place see {@link Waiting} */
  mayStart(phase: Waiting, place: number): void {
    phase.mayStartAt = this.clocks.steady();
    phase.place = place;
  }

  remove(task: LiveTask): void {
    if (task.phase.name === 'waiting') task.phase.cancelQueueTimeout?.();
    this.byId.delete(task.record.task_id);
    this.concurrency.delete(task.record.task_id, task.record.request);
    this.groups.delete(task.record.task_id, task.record.request);
    this.leave(task);
    this.counts.ended(task.record);
  }

  /** How many tasks of a group run. @param group as {@link TaskSets} names it */
  runningOf(group: string): number {
    return this.runningByGroup.of(group);
  }

  private enter(task: LiveTask): void {
    this.counts.enter(task.record);
    const group = groupOf(task.record.request);
    if (group !== undefined && task.record.status === 'running') this.runningByGroup.add(group);
    if (task.launchId !== null) this.attempts.set(task.launchId, task);
    if (task.record.status === 'running' && task.record.paused_at_ms !== undefined)
      this.pausedTasks.add(task);
  }

  private leave(task: LiveTask): void {
    this.counts.leave(task.record);
    const group = groupOf(task.record.request);
    if (group !== undefined && task.record.status === 'running') this.runningByGroup.delete(group);
    if (task.launchId !== null) this.attempts.delete(task.launchId);
    this.pausedTasks.delete(task);
  }

  private phaseOf(record: LiveRecord): Phase {
    if (record.status === 'accepted') {
      const task = bounded(this.clocks, record);
      const mayStartAt = this.mayStartAt(task);
      return {
        name: 'waiting',
        record: task,
        mayStartAt,
        place: record.submit_seq,
        cancelQueueTimeout: undefined,
      };
    }
    if (record.process === undefined) return { name: 'launched', record };
    const startedAt = onSteadyClock(this.clocks, record.process.started_at_ms);
    return { name: 'started', record, startedAt };
  }

  private mayStartAt(record: WaitingTask): number {
    const { created_at_ms, eligible_ms, request } = record;
    const { start_at } = request.policy;
    const eligibleAt =
      eligible_ms === undefined
        ? onSteadyClock(this.clocks, created_at_ms)
        : this.clocks.steady() + eligibleInMs(this.clocks, record);
    if (start_at === undefined) return eligibleAt;
    return Math.max(eligibleAt, onSteadyClock(this.clocks, Date.parse(start_at)));
  }
}
