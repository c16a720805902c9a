import { crashPoint } from '../../executor/crash-point.js';
import type { StoredRun, StoredSchedule } from '../../store/schedule-table.js';
import { bodyOf, ExecgoError } from '../../task/errors.js';
import type { TaskSubmission } from '../../task/request.js';
import { killTask, type KillingCore } from '../lifecycle/kill.js';
import { submit, type Intake, type SubmittingCore } from '../lifecycle/submit.js';
import { ClockAlarm } from '../clock-alarm.js';
import { bodyOfDue, taskIdOfDue } from './body-of-due.js';
import { decide } from './decide.js';
import { ScheduleEntry } from './schedule-entry.js';

/** What schedules work with. */
export type SchedulingCore = SubmittingCore & KillingCore;

/** How long to wait after something could not be written, in milliseconds. */
const RETRY_MS = 2000;

/**
 * The schedules that are in force. A due time is written down in the transaction in which its schedule goes on to the next one, and is
 * submitted in one that takes note of that: so it is submitted once, whatever comes in between. A clock that is set back repeats none.
 */
export class Schedules {
  readonly #entries = new Map<string, ScheduleEntry>();
  readonly #byTask = new Map<string, ScheduleEntry>();
  readonly #alarm: ClockAlarm;
  #isClosed = false;

  /** @param core whose live tasks are loaded */
  constructor(
    private readonly core: SchedulingCore,
    private readonly intake: Intake,
  ) {
    const { store, log, now, announcer } = core;
    this.#alarm = new ClockAlarm(now, () => this.#ring());
    const byId = new Map<number, ScheduleEntry>();
    for (const stored of store.schedules.all()) {
      const entry = new ScheduleEntry(stored);
      this.#entries.set(entry.name, entry);
      byId.set(stored.schedule_id, entry);
      if (entry.problem !== undefined)
        log.warn(
          { schedule: entry.name, problem: entry.problem },
          'a schedule cannot be read, and does nothing',
        );
    }
    for (const run of store.schedules.waiting()) byId.get(run.schedule_id)?.waiting.push(run);
    for (const { schedule_id, task_id } of store.schedules.liveTasks()) {
      const entry = byId.get(schedule_id);
      if (entry !== undefined) this.started(entry, task_id);
    }
    announcer.onAnyEnd((taskId) => {
      const entry = this.#byTask.get(taskId);
      this.#byTask.delete(taskId);
      entry?.running.delete(taskId);
      if (entry !== undefined) this.kick(entry);
    });
  }

  /** Does what is due, from now on. */
  start(): void {
    for (const entry of this.#entries.values()) this.kick(entry);
    this.#arm();
  }

  /** Submits nothing any more. Resolves when what is under way is done. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#alarm.set(undefined);
    await Promise.all([...this.#entries.values()].flatMap(({ work }) => work ?? []));
  }

  get size(): number {
    return this.#entries.size;
  }

  get(name: string): ScheduleEntry | undefined {
    return this.#entries.get(name);
  }

  /** By name. */
  names(): string[] {
    return [...this.#entries.keys()].sort();
  }

  /** Takes over what was committed of one that was made or changed. */
  set(stored: StoredSchedule): void {
    const found = this.#entries.get(stored.name);
    if (found !== undefined) found.update(stored);
    const entry = found ?? new ScheduleEntry(stored);
    this.#entries.set(stored.name, entry);
    this.kick(entry);
    this.#arm();
  }

  /** Takes over that it was deleted. Its tasks go on. */
  delete(entry: ScheduleEntry): void {
    this.#entries.delete(entry.name);
    for (const taskId of entry.running) this.#byTask.delete(taskId);
    this.#arm();
  }

  /** Takes note of a task of its own. */
  started(entry: ScheduleEntry, taskId: string): void {
    if (this.core.live.get(taskId) === undefined) return;
    entry.running.add(taskId);
    this.#byTask.set(taskId, entry);
  }

  #ring(): void {
    const now = this.core.now();
    for (const entry of this.#entries.values()) if ((entry.firesAtMs ?? Infinity) <= now) this.kick(entry);
    this.#arm();
  }

  /** Waits for the next due time of all that nobody looks after just now. */
  #arm(): void {
    if (this.#isClosed) return;
    let next = Infinity;
    for (const { work, firesAtMs = Infinity } of this.#entries.values())
      if (work === undefined) next = Math.min(next, firesAtMs);
    this.#alarm.set(next === Infinity ? undefined : next);
  }

  /** Looks after a schedule, soon. */
  kick(entry: ScheduleEntry): void {
    if (this.#isClosed) return;
    entry.again = true;
    entry.work ??= this.#lookAfter(entry).finally(() => {
      entry.work = undefined;
      if (entry.again && this.#isInForce(entry)) this.kick(entry);
      this.#arm();
    });
  }

  async #lookAfter(entry: ScheduleEntry): Promise<void> {
    while (entry.again && this.#isInForce(entry)) {
      entry.again = false;
      try {
        await this.#doWhatIsDue(entry);
      } catch (err) {
        entry.again = false;
        this.core.log.error(
          { err, schedule: entry.name },
          'a due time could not be submitted; it is tried again',
        );
        setTimeout(() => {
          this.kick(entry);
        }, RETRY_MS).unref();
        return;
      }
    }
  }

  #isInForce(entry: ScheduleEntry): boolean {
    return !this.#isClosed && this.core.schedule.accepting && this.#entries.get(entry.name) === entry;
  }

  async #doWhatIsDue(entry: ScheduleEntry): Promise<void> {
    // After a long time there may be more than one decision takes in.
    while ((entry.firesAtMs ?? Infinity) <= this.core.now() && this.#isInForce(entry))
      if (!(await this.#advance(entry))) break;
    const { stored, waiting, running, spec } = entry;
    if (stored.paused || entry.problem !== undefined) return;
    for (let run = waiting[0]; run !== undefined && running.size === 0; run = waiting[0]) {
      if (!this.#isInForce(entry)) return;
      await this.#submit(entry, run);
      if (waiting[0] === run) waiting.shift();
    }
    if (spec.overlap === 'replace' && waiting.length > 0) await this.#killAll(entry);
  }

  /** Writes down what is decided of the due times that have come. @returns false when it was changed meanwhile */
  async #advance(entry: ScheduleEntry): Promise<boolean> {
    const { store, now } = this.core;
    const { stored, name, spec, times, waiting } = entry;
    const { next_due_ms } = stored;
    if (next_due_ms === undefined) return false;
    const [running] = entry.running;
    const due = { name, spec, times, nextDueMs: next_due_ms, running, waiting: waiting.length };
    const decided = decide(due, now());
    const runs = await store.commits.write(() => {
      const added = store.schedules.advance(stored, decided, now());
      crashPoint('before_due_commit');
      return added;
    });
    crashPoint('after_due_commit');
    // Whoever has changed it begins this anew.
    if (runs === undefined) return false;
    if (entry.stored === stored) entry.wentOn(decided.next_due_ms);
    if (decided.supersedes !== undefined) waiting.length = 0;
    waiting.push(...runs.filter(({ outcome }) => outcome === 'waiting'));
    return true;
  }

  /** Submits the task of a due time, or writes down why that was refused. */
  async #submit(entry: ScheduleEntry, run: StoredRun): Promise<void> {
    const { store, now, log } = this.core;
    const { name, stored } = entry;
    const task = store.schedules.task(stored.schedule_id);
    if (task === undefined) return;
    const task_id = taskIdOfDue(name, run.due_ms);
    try {
      await submit(
        this.core,
        this.intake,
        bodyOfDue(JSON.parse(task) as TaskSubmission, { name, task_id, dueMs: run.due_ms }),
        {
          check: () => {
            if (!store.schedules.settle(run.run_id, 'submitted', { task_id }, now()))
              throw new ExecgoError(
                'conflict',
                `this due time of schedule ${name} was submitted, or is not to be any more`,
              );
            crashPoint('before_due_submit_commit');
          },
        },
      );
      crashPoint('after_due_submit_commit');
      this.started(entry, task_id);
    } catch (error) {
      if (isPassing(error)) throw error;
      if (!(error instanceof ExecgoError))
        log.error({ err: error, schedule: name }, 'a due time could not be submitted');
      await store.commits.write(() =>
        store.schedules.settle(run.run_id, 'refused', { detail: bodyOf(error) }, now()),
      );
    }
  }

  /** Cancels those in whose place a later due time waits. */
  async #killAll(entry: ScheduleEntry): Promise<void> {
    for (const taskId of [...entry.running]) {
      const task = this.core.live.get(taskId);
      if (task !== undefined) await killTask(this.core, task, {});
    }
  }
}

/** True for what is over when somebody has made room, or the daemon is started again. */
function isPassing(error: unknown): boolean {
  return error instanceof ExecgoError && ['insufficient_storage', 'unavailable'].includes(error.code);
}
