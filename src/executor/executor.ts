import type { RunningTask } from '../store/records.js';
import type { Outcome, Running } from '../supervisor/wire/protocol.js';
import type { ExecutionPlan } from '../task/plan.js';
import type { TaskRequest } from '../task/request.js';
import type { Usage } from '../task/view.js';

/**
 * One launch of a task. It is committed before any place hears of it; its id is given out once, and begins at most once,
 * wherever it runs.
 */
export interface Attempt {
  readonly task_id: string;
  readonly launch_id: number;
  /** Nobody can guess it: what carries it belongs to this attempt. */
  readonly launch_token: string;
  /** Name of the {@link Place} that it was given to. */
  readonly incarnation: string;
  readonly request: TaskRequest;
  readonly plan: ExecutionPlan | null;
}

/** An attempt that an earlier daemon has launched, or was about to. */
export interface AdoptedAttempt extends Attempt {
  /** Its process, where its start was told. */
  readonly started: ProcessFacts | undefined;
  /** That it is to be killed, where that was asked for. */
  readonly kill: KillOrder | undefined;
}

export type ProcessFacts = Pick<Running, 'pid' | 'start_ticks'>;

/** Signal number and milliseconds from it to KILL; absent values are the attempt's own. */
export interface KillOrder {
  signal?: number | undefined;
  grace_ms?: number | undefined;
}

/** Where an attempt can be given to. */
export interface Place {
  readonly incarnation: string;
  /** Of the process that answers for it. */
  readonly pid: number;
}

export type LiveUsage = Pick<Usage, 'cpu_percent' | 'memory_bytes' | 'processes'>;

/**
 * What the runtime is told of attempts. Each may be told more than once, in any order, and late: a start after the end, an
 * end while one that was told before is still being written down. What is told of an attempt after `refused` does not
 * count, and of several ends the first that was told does.
 */
export interface ExecutorEvents {
  /** Its process runs; not told where its end is known by then, which tells the start. @param recovered it was adopted, and this is the first that is heard of it */
  started: (attempt: Attempt, running: Running, recovered: boolean) => void;
  /** Its wall time has passed, and it is being ended. @param atMs Unix time in milliseconds */
  timedOut: (attempt: Attempt, atMs: number) => void;
  /**
   * How it ended, or that it could not be begun.
   * @returns true once that is written down; else it is told again, by a later daemon, also where its place is dead by then.
   * Never rejects
   */
  ended: (attempt: Attempt, outcome: Outcome) => Promise<boolean>;
  /**
   * It has not begun, and is not held any more: should it still begin somewhere, the executor kills that at once. A later
   * daemon that adopts it, since no other attempt was committed, is told the same.
   * @param again true when another attempt would be given to the same place: a pause is due
   */
  refused: (attempt: Attempt, reason: string, again: boolean) => void;
  /**
   * It may have begun, and nobody saw its end; what could be found of it was killed.
   * @param running its process, where its start is known
   * @returns as for {@link ended}
   */
  lost: (attempt: Attempt, running: Running | undefined) => Promise<boolean>;
  /** There is a place that attempts can be given to. */
  ready: () => void;
}

/**
 * What the runtime needs from where attempts run, without knowing where that is. It holds every attempt from
 * {@link launch} or {@link start} on until it was told of as ended, refused or lost.
 *
 * It brings output to the task's directory, wherever the attempt runs, and nobody asks for it: what is read there while the
 * attempt runs is the beginning of what it has written, and follows it; all that is kept of it is there before its end is
 * told; what is there stays when its place dies. So output is read in one way, by ranges and from the end, of what runs and
 * of what ended years ago, also where the place is long gone.
 */
export interface Executor {
  /** Where the next attempt is to be given to; undefined while there is none. */
  readonly place: Place | undefined;
  /** There are attempts to be made: to be called while there is no place. */
  wanted: () => void;
  /**
   * Takes over what earlier daemons have launched, and finds or makes a place. Resolves once all that can be known of those
   * attempts at once was told; what is held up goes on afterwards.
   */
  start: (adopted: readonly AdoptedAttempt[]) => Promise<void>;
  /**
   * Gives a committed attempt to its place; one that is held already goes on as it is.
   * @returns false when the place is gone: it has not begun, and is not held; a later daemon that adopts it is told so by
   * `refused`. A place that is gone without anybody's knowledge refuses it later
   */
  launch: (attempt: Attempt) => boolean;
  /** Kills an attempt that is held, as soon as its place can be told. Of several orders the first counts; a shorter grace shortens. */
  kill: (launchId: number, order: KillOrder) => void;
  /** True while the place of this attempt hears at once what it is told. */
  hears: (launchId: number) => boolean;
  /** What its processes use now; undefined for one that is not held, or is not known to run. @param runsForMs how long it has run */
  usage: (launchId: number, runsForMs: number) => Promise<LiveUsage | undefined>;
  /** Lets go of everything; attempts go on. @param drain also let places end that have nothing left */
  close: (drain: boolean) => Promise<void>;
}

/** The attempt of a task that is committed as running; undefined for one that has none, or one of the older runtime. */
export function attemptOf({ task_id, attempt, request, plan }: RunningTask): Attempt | undefined {
  if (attempt.launch_id === null) return undefined;
  const { launch_id, launch_token, incarnation } = attempt;
  return { task_id, launch_id, launch_token, incarnation, request, plan };
}

/**
 * Two orders to kill the same attempt as one: the signal of the first, the shorter grace.
 * @param ownGraceMs the attempt's own, which counts where an order says nothing
 */
export function bothOrders(first: KillOrder | undefined, next: KillOrder, ownGraceMs: number): KillOrder {
  if (first === undefined) return next;
  const { grace_ms = ownGraceMs } = next;
  return { signal: first.signal, grace_ms: Math.min(first.grace_ms ?? ownGraceMs, grace_ms) };
}
