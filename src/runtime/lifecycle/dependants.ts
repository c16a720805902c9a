import { crashPoint } from '../../executor/crash-point.js';
import { retry } from '../../store/retry.js';
import type { Changed, WaitingTask } from '../../store/records.js';
import { holds, type Condition } from '../../task/dependencies.js';
import { invalidInput } from '../../task/errors.js';
import type { TerminalStatus } from '../../task/states.js';
import type { Core } from '../core.js';
import type { LiveTask } from '../live-tasks.js';
import type { Schedule } from '../schedule.js';
import { dependencyFailed } from './classify.js';
import type { Ends } from './complete.js';
import { changeOf, type Dispatcher } from './dispatch.js';

type TellingCore = Core & { schedule: Schedule; ends: Ends; dispatcher: Dispatcher };

/** How many conditions are settled in one transaction, and how long that may take, in milliseconds: the event loop is blocked. */
const STEP = 50;
const STEP_MS = 10;

/** A condition that is settled now: it holds, or the task is cancelled. */
interface Settled extends Condition {
  task: LiveTask;
  /** How the other task ended; undefined when nobody knows. */
  status: TerminalStatus | undefined;
  isMet: boolean;
}

/** What one transaction makes of ends. */
interface Step {
  /** What follows from the cancellation of a task comes behind it. */
  settled: Settled[];
  /** Tasks that are being changed: they come later. */
  busy: LiveTask[];
}

/**
 * Tells tasks how those ended that they wait for. An end is committed by itself; what follows from it comes after, in
 * transactions of bounded size, and is found again at the next start when the daemon dies in between: for each condition that is
 * not settled there is a row.
 */
export class Dependants {
  /** Tasks that have ended and for which others wait, the next to be told of first. */
  readonly #ended = new Set<string>();
  #telling: Promise<void> | undefined;

  constructor(private readonly core: TellingCore) {
    core.announcer.onAnyEnd((taskId) => {
      this.#tell([taskId]);
    });
  }

  /** True when one of these tasks has not ended as it must, as far as is known before they are looked at for good. */
  mustWait(after: readonly Condition[] = []): boolean {
    const { dependencies } = this.core.store;
    return after.some(({ task_id, when }) => {
      const end = dependencies.endOf(task_id);
      return end === undefined || end === 'live' || !holds(when, end);
    });
  }

  /**
   * The conditions that do not hold yet. To be called in the transaction that writes them down, and with what comes out of it.
   * @param settled conditions that were found to hold before: that is not asked again
   * @throws ExecgoError `invalid_input` for an unknown task, and for a cycle
   */
  openOf(
    taskId: string | undefined,
    after: readonly Condition[] | undefined,
    settled: readonly Condition[] = [],
  ): Condition[] {
    if (after === undefined || after.length === 0) return [];
    const { dependencies } = this.core.store;
    const isSettled = new Set(settled.map(({ task_id, when }) => `${when} ${task_id}`));
    const open = after.filter(({ task_id, when }, i) => {
      if (task_id === taskId) throw invalidInput(`policy.after.${i}.task_id: the task would wait for itself`);
      if (isSettled.has(`${when} ${task_id}`)) return false;
      const end = dependencies.endOf(task_id);
      if (end === undefined)
        throw invalidInput(
          `policy.after.${i}.task_id: there is no task ${task_id}, and how one ended is not remembered`,
        );
      return end === 'live' || !holds(when, end);
    });
    const cycle =
      taskId === undefined
        ? undefined
        : this.core.schedule.dependencies.cycleWith(
            taskId,
            open.map(({ task_id }) => task_id),
          );
    if (cycle !== undefined) throw invalidInput(`policy.after: ${cycleInWords(cycle)}`);
    return open;
  }

  /** Takes over what was committed of what a task waits for. What has ended meanwhile is told of at once. */
  entered(taskId: string, open: readonly Condition[]): void {
    this.core.schedule.dependencies.set(taskId, open);
    this.#tell(open.map(({ task_id }) => task_id));
  }

  /** Takes over what the daemon before has left, before tasks are queued. */
  load(): void {
    const { live, schedule, store } = this.core;
    const byTask = new Map<string, Condition[]>();
    for (const { dependant, task_id, when } of store.dependencies.all()) {
      const conditions = byTask.get(dependant) ?? [];
      conditions.push({ task_id, when });
      byTask.set(dependant, conditions);
    }
    for (const [taskId, conditions] of byTask) {
      const record = live.get(taskId)?.record;
      if (record?.status !== 'accepted') {
        // Somebody else has been at the database; what it names could not be removed.
        void store.commits.writeAlong(() => store.dependencies.clear(taskId)).catch(() => undefined);
        continue;
      }
      const places = new Map(record.request.policy.after?.map(({ task_id }, i) => [task_id, i]));
      const placeOf = ({ task_id }: Condition) => places.get(task_id) ?? places.size;
      schedule.dependencies.set(
        taskId,
        conditions.sort((a, b) => placeOf(a) - placeOf(b)),
      );
    }
  }

  /** Tells of what ended while nobody could tell of it. */
  resume(): void {
    this.#tell([...this.core.schedule.dependencies.awaited()]);
  }

  /** Resolves when nothing is to be told of that task, or cannot be now. */
  async told(taskId: string): Promise<void> {
    while (this.#ended.has(taskId) && this.#telling !== undefined) await this.#telling;
  }

  #tell(taskIds: readonly string[]): void {
    const { live, schedule } = this.core;
    for (const id of taskIds)
      if (schedule.dependencies.isAwaited(id) && live.get(id) === undefined) this.#ended.add(id);
    if (this.#ended.size > 0) this.#telling ??= this.#run();
  }

  async #run(): Promise<void> {
    try {
      // What is entered in this turn belongs to the same step.
      await Promise.resolve();
      while (this.#ended.size > 0 && !this.core.store.commits.closed) await this.#next();
    } catch (error) {
      this.core.log.error({ err: error }, 'tasks that wait for others are not told until the next start');
      this.#ended.clear();
    } finally {
      this.#telling = undefined;
    }
  }

  async #next(): Promise<void> {
    const step = this.#plan();
    const changes = step.busy.flatMap((task) => changeOf(task) ?? []);
    if (step.settled.length > 0) await this.#commit(step.settled);
    else if (changes.length > 0) await Promise.race(changes);
    if (this.core.store.commits.closed) return;
    const { dependencies } = this.core.schedule;
    // Those that have more to be told of stand back behind the others.
    for (const id of [...this.#ended]) {
      this.#ended.delete(id);
      if (dependencies.isAwaited(id) && this.#isDue(id)) this.#ended.add(id);
    }
  }

  /** False where only tasks wait for it that are ending by themselves, and for an end that could not be written down. */
  #isDue(afterId: string): boolean {
    if (this.core.store.dependencies.endOf(afterId) === 'live') return false;
    for (const [id] of this.core.schedule.dependencies.dependantsOf(afterId))
      if (isToBeTold(this.core.live.get(id))) return true;
    return false;
  }

  #plan(): Step {
    const { live, schedule, store } = this.core;
    const step: Step = { settled: [], busy: [] };
    const ending = new Set<string>();
    let count = 0;
    for (const afterId of this.#ended) {
      const end = ending.has(afterId) ? 'cancelled' : store.dependencies.endOf(afterId);
      if (end === 'live') continue;
      for (const [id, when] of schedule.dependencies.dependantsOf(afterId)) {
        const task = live.get(id);
        if (!isToBeTold(task) || ending.has(id)) continue;
        if (changeOf(task) !== undefined) {
          step.busy.push(task);
          continue;
        }
        if (++count > STEP) return step;
        const isMet = end !== undefined && holds(when, end);
        step.settled.push({ task, task_id: afterId, when, status: end, isMet });
        if (isMet) continue;
        ending.add(id);
        // Those after it are told of in the same step, as far as it goes.
        if (schedule.dependencies.isAwaited(id)) this.#ended.add(id);
      }
    }
    return step;
  }

  async #commit(all: readonly Settled[]): Promise<void> {
    const { log, schedule, store } = this.core;
    const cancelled = new Set(all.filter(({ isMet }) => !isMet).map(({ task }) => task));
    // What a task waits for that is cancelled goes with it.
    const settled = all.filter(({ isMet, task }) => !isMet || !cancelled.has(task));
    const lasts = () => !store.commits.closed;
    const what = 'cannot write down what follows from the end of a task';
    const committed = retry(() => store.commits.write(() => this.#write(settled)), { log, what, lasts }).then(
      (done) => {
        for (const each of done) each();
        return true;
      },
      () => {
        // They stay as they are until the next start.
        for (const task of cancelled) this.#leave(task);
        for (const { task_id } of settled) this.#ended.delete(task_id);
        return false;
      },
    );
    const released = committed.then(() => undefined);
    for (const { task, isMet } of settled) {
      task.underWay = isMet ? { what: 'release', settled: released } : { what: 'end', committed };
      // Nobody may change it any more.
      if (!isMet) schedule.withdraw(task.record.task_id);
    }
    await committed;
    for (const { task } of settled) if (task.underWay?.what === 'release') task.underWay = undefined;
    this.core.dispatcher.pump();
  }

  /** Settles as many as there is time for, in order. @returns what to do once it is committed */
  #write(settled: readonly Settled[]): (() => void)[] {
    const until = performance.now() + STEP_MS;
    const done: (() => void)[] = [];
    for (const [i, one] of settled.entries()) {
      const hasTime = i === 0 || performance.now() < until;
      if (hasTime)
        done.push(
          one.isMet ? this.#meet(one) : this.core.ends.inTransaction(one.task, dependencyFailed(one)),
        );
      else if (!one.isMet)
        done.push(() => {
          this.#leave(one.task);
        });
    }
    crashPoint('before_dependants_commit');
    done.unshift(() => {
      crashPoint('after_dependants_commit');
    });
    return done;
  }

  /** Lets a task wait on that was to be cancelled. */
  #leave(task: LiveTask): void {
    this.#ended.delete(task.record.task_id);
    task.underWay = undefined;
    this.core.dispatcher.enqueue(task);
  }

  /** In a transaction. @returns what to do once it is committed */
  #meet({ task, task_id: afterId }: Settled): () => void {
    const { store, now } = this.core;
    const { record } = task;
    store.dependencies.met(record.task_id, afterId);
    let eligible: Changed<WaitingTask> | undefined;
    if (record.status === 'accepted' && !store.dependencies.hasOpen(record.task_id)) {
      const at = now();
      eligible = store.changes.release(record, at, { event_type: 'eligible', timestamp_ms: at });
      // The next daemon goes on counting from here.
      if (eligible !== undefined) store.kept.saveClock();
    }
    return () => {
      this.#met(task, afterId, eligible);
    };
  }

  #met(task: LiveTask, afterId: string, eligible: Changed<WaitingTask> | undefined): void {
    const { announcer, dispatcher, live, schedule } = this.core;
    const { task_id } = task.record;
    schedule.dependencies.met(task_id, afterId);
    if (task.underWay?.what === 'release') task.underWay = undefined;
    if (eligible === undefined) return;
    live.update(task, eligible.task);
    announcer.events(eligible.events);
    schedule.withdraw(task_id);
    // One that is to be killed meanwhile is left to that.
    if (task.ending === undefined && task.kill === undefined) dispatcher.enqueue(task);
  }
}

/** False for a task that is ending, or about to: what it has waited for does not matter any more. */
function isToBeTold(task: LiveTask | undefined): task is LiveTask {
  return task !== undefined && task.ending === undefined && task.kill === undefined;
}

function cycleInWords(cycle: readonly string[]): string {
  const shown = cycle.slice(0, 5);
  const more = cycle.length - shown.length;
  const way = [...shown, ...(more > 0 ? [`${more} more`] : []), cycle[0]].join(' after ');
  return `these tasks would wait for each other: ${way}`;
}
