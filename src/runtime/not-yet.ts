import { Ordered } from '../ledger/ordered.js';
import type { WaitingTask } from '../store/records.js';
import { retryDelayMs } from '../task/retry.js';
import type { Clocks } from './steady-clock.js';

/** What of a waiting task says whether it may start; of one that is being submitted there is only its request. */
export type Startable = Pick<WaitingTask, 'request' | 'eligible_ms' | 'past_attempts'> & {
  /** It starts after others that have not all ended as they must. */
  awaits?: boolean | undefined;
};

/** Why a waiting task may not start yet, whatever room there is. */
export interface Hindrance {
  reason: 'held' | 'dependency' | 'retry_backoff' | 'start_at';
  /** What ends it: a time of the wall clock, or of the one that nobody sets; absent where only somebody's doing does. */
  until?: { clock: TimedBy; atMs: number } | undefined;
}

/** See {@link Clocks}. */
export type TimedBy = 'now' | 'lasting';

const HELD: Hindrance = { reason: 'held' };
const DEPENDENCY: Hindrance = { reason: 'dependency' };

/**
 * The one place that says whether a waiting task may start; undefined: it may, once there is room. Of several reasons it is the one
 * that lasts longest, as far as is known: one that somebody has to end first, then one that
 * other tasks end, of two times the later one. When
 * that is over the task is asked about anew.
 */
export function hindranceOf(clocks: Clocks, task: Startable): Hindrance | undefined {
  const { hold, start_at } = task.request.policy;
  if (hold === true) return HELD;
  if (task.awaits === true) return DEPENDENCY;
  if (task.eligible_ms === undefined && start_at === undefined) return undefined;
  const backOff = eligibleInMs(clocks, task);
  const startMs = start_at === undefined ? -Infinity : Date.parse(start_at);
  const untilStart = startMs - clocks.now();
  if (backOff <= 0 && untilStart <= 0) return undefined;
  return untilStart > backOff
    ? { reason: 'start_at', until: { clock: 'now', atMs: startMs } }
    : { reason: 'retry_backoff', until: { clock: 'lasting', atMs: task.eligible_ms ?? 0 } };
}

/** How many milliseconds from now a task may start as far as that does not follow from its request; negative: since when it may. */
export function eligibleInMs({ lasting }: Clocks, { eligible_ms = -Infinity }: Startable): number {
  return eligible_ms - lasting();
}

/** A task of an earlier daemon, whose back-off is never longer than its policy says, whatever stands in the row. */
export function bounded<T extends Startable>({ lasting }: Clocks, task: T): T {
  const { eligible_ms, past_attempts, request } = task;
  if (eligible_ms === undefined) return task;
  const { retry } = request.policy;
  const longest = retry === undefined || past_attempts === 0 ? 0 : retryDelayMs(retry, past_attempts);
  const latest = lasting() + longest;
  return eligible_ms <= latest ? task : { ...task, eligible_ms: latest };
}

interface Entry extends Hindrance {
  task_id: string;
  submit_seq: number;
}

type TimedEntry = Entry & Required<Pick<Hindrance, 'until'>>;

/** Tasks that may not start yet, with the reason. They are in no queue, and hold nothing. */
export class NotYet {
  readonly #entries = new Map<string, Entry>();
  readonly #timed = { now: newOrder(), lasting: newOrder() };

  get size(): number {
    return this.#entries.size;
  }

  has(taskId: string): boolean {
    return this.#entries.has(taskId);
  }

  /** Why a task that is here may not start. */
  reasonOf(taskId: string): Hindrance | undefined {
    return this.#entries.get(taskId);
  }

  /** Adds a task, or gives one that is here another reason. */
  add(entry: Entry): void {
    this.delete(entry.task_id);
    this.#entries.set(entry.task_id, entry);
    if (isTimed(entry)) this.#timed[entry.until.clock].add(entry);
  }

  delete(taskId: string): void {
    const entry = this.#entries.get(taskId);
    if (entry === undefined) return;
    this.#entries.delete(taskId);
    if (isTimed(entry)) this.#timed[entry.until.clock].remove(entry);
  }

  /** The next time of a clock at which one of them is to be asked about anew; undefined where there is none. */
  nextMs(clock: TimedBy): number | undefined {
    return this.#timed[clock].first?.until.atMs;
  }

  /** Takes out those whose time of a clock has come, at most `count`, in the order of their times, then of their submits. */
  takeDue(clock: TimedBy, timeMs: number, count: number): string[] {
    const due: string[] = [];
    const order = this.#timed[clock];
    for (let next = order.first; next !== undefined; next = order.first) {
      if (next.until.atMs > timeMs || due.length === count) break;
      this.delete(next.task_id);
      due.push(next.task_id);
    }
    return due;
  }
}

function newOrder(): Ordered<TimedEntry> {
  return new Ordered<TimedEntry>((a, b) =>
    a.until.atMs === b.until.atMs ? a.submit_seq < b.submit_seq : a.until.atMs < b.until.atMs,
  );
}

function isTimed(entry: Entry): entry is TimedEntry {
  return entry.until !== undefined;
}
