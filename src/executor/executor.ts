import type { RunningTask } from '../store/records.js';
import type { Outcome, Running } from '../supervisor/wire/protocol.js';
import type { ExecutionPlan } from '../task/plan.js';
import type { TaskRequest } from '../task/request.js';
import type { ResourceItems } from '../task/resources.js';
import type { Usage } from '../task/view.js';

/**
 * One attempt to run a task. It is committed before any place hears of it. Its id is given out once, and it begins at most
 * once, wherever it runs.
 */
export interface Attempt {
  readonly task_id: string;
  /** Which attempt of its task it is, from 1 on: its output has files of its own. */
  readonly number: number;
  readonly launch_id: number;
  /** Random: a process that carries it belongs to this attempt. */
  readonly launch_token: string;
  /** Name of the {@link Place} that it was given to. */
  readonly incarnation: string;
  readonly request: TaskRequest;
  readonly plan: ExecutionPlan | null;
  /** What the task has for itself of named resources; absent: nothing. */
  readonly items?: ResourceItems | undefined;
}

/** An attempt that an earlier daemon has launched, or was about to launch. */
export interface AdoptedAttempt extends Attempt {
  /** Its process, if its start was written down. */
  readonly started: ProcessFacts | undefined;
  /** How to kill it, if a kill was requested. */
  readonly kill: KillOrder | undefined;
  /** It is to be paused. */
  readonly paused: boolean;
}

export type ProcessFacts = Pick<Running, 'pid' | 'start_ticks'>;

/** The signal, and the milliseconds from it to SIGKILL; absent values are the attempt's own. */
export interface KillOrder {
  signal?: number | undefined;
  grace_ms?: number | undefined;
}

/** Something that attempts can be given to, such as a supervisor. */
export interface Place {
  readonly incarnation: string;
  /** The process that is responsible for the attempts of this place. */
  readonly pid: number;
}

export type LiveUsage = Pick<Usage, 'cpu_percent' | 'memory_bytes' | 'processes'>;

/**
 * What the executor tells the runtime about attempts. Each event may come more than once, in any order, and late: a start
 * after the end, or an end while an earlier one is still being written down. After `refused` nothing else about that attempt
 * counts, and of several ends the first counts.
 */
export interface ExecutorEvents {
  /**
   * Its process runs. Not told when its end is known already, which includes the start. @param recovered it was adopted, and
   * this is the first news of it
   */
  started: (attempt: Attempt, running: Running, recovered: boolean) => void;
  /** Its wall time has passed, and it is being ended. @param atMs Unix time in milliseconds */
  timedOut: (attempt: Attempt, atMs: number) => void;
  /**
   * Nothing of it runs any more, and its wall time stands still. Of this and {@link resumed} the later one counts, by its time.
   * @param atMs since when: Unix time in milliseconds
   */
  paused: (attempt: Attempt, atMs: number) => void;
  /**
   * It runs again.
   * @param atMs as for {@link paused}
   * @param reason why it could not be paused, in words for people: then {@link Executor.pause} lasts no more
   */
  resumed: (attempt: Attempt, atMs: number, reason?: string) => void;
  /**
   * How it ended, or that it could not begin.
   * @returns true once that is written down; otherwise it is told again, by a later daemon, even if its place is dead by
   *   then. Never rejects
   */
  ended: (attempt: Attempt, outcome: Outcome) => Promise<boolean>;
  /**
   * It has not begun, and is not held any more: should it still begin somewhere, the executor kills that at once. A later
   * daemon that adopts it, since no other attempt was committed, is told the same.
   * @param again true when another attempt would be given to the same place: a pause is due
   */
  refused: (attempt: Attempt, reason: string, again: boolean) => void;
  /**
   * It may have begun, and nobody saw its end; everything of it that was found has been killed.
   * @param running its process, if its start is known
   * @returns as for {@link ended}
   */
  lost: (attempt: Attempt, running: Running | undefined) => Promise<boolean>;
  /** There is a place to give attempts to. */
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
  /** The place for the next attempt; undefined while there is none. */
  readonly place: Place | undefined;
  /** To be called when there are tasks to start and there is no place. */
  wanted: () => void;
  /**
   * Takes over what earlier daemons have launched, and finds or makes a place. Resolves once it has told what can be known
   * at once about those attempts; the rest is told later.
   */
  start: (adopted: readonly AdoptedAttempt[]) => Promise<void>;
  /**
   * Gives a committed attempt to its place; one that is held already goes on as it is.
   * @returns false when the place is gone: it has not begun, and is not held; a later daemon that adopts it is told so by
   * `refused`. A place that is gone without anybody's knowledge refuses it later
   */
  launch: (attempt: Attempt) => boolean;
  /**
   * Kills an attempt that is held, as soon as its place can be reached. Only the first order counts; a later one can only
   * shorten the grace.
   */
  kill: (launchId: number, order: KillOrder) => void;
  /**
   * Whether the place of this attempt can pause it; undefined while that is not known, because its place has not been reached
   * yet, and for one that is not held.
   */
  canPause: (launchId: number) => boolean | undefined;
  /**
   * Stops an attempt that is held and was told of as started, and its wall time, as soon as its place can be reached, and has
   * that told once it is done; what is done already is told again. It lasts, over daemons too, until {@link resume} or the
   * first kill: none comes after a kill or when the wall time has passed, and what is killed can handle its signal. What
   * cannot be stopped is told as resumed, with the reason, and runs on.
   */
  pause: (launchId: number) => void;
  /** Lets it go on, in the same way. */
  resume: (launchId: number) => void;
  /** True while the place of this attempt is connected and receives what it is sent at once. */
  hears: (launchId: number) => boolean;
  /** What its processes use now; undefined when it is not held, or not known to run. @param runsForMs how long it has run */
  usage: (launchId: number, runsForMs: number) => Promise<LiveUsage | undefined>;
  /** Disconnects from all places; attempts go on. @param drain also lets places end once they have no attempts left */
  close: (drain: boolean) => Promise<void>;
}

/** The attempt of a task that is committed as running; undefined when it has none, or is one of the older runtime. */
export function attemptOf({
  task_id,
  past_attempts,
  attempt,
  request,
  plan,
  items,
}: RunningTask): Attempt | undefined {
  if (attempt.launch_id === null) return undefined;
  const { launch_id, launch_token, incarnation } = attempt;
  const number = past_attempts + 1;
  return { task_id, number, launch_id, launch_token, incarnation, request, plan, items };
}

/**
 * Combines two orders to kill the same attempt: the signal of the first, the shorter grace.
 * @param ownGraceMs the attempt's own, used where an order does not say
 */
export function bothOrders(first: KillOrder | undefined, next: KillOrder, ownGraceMs: number): KillOrder {
  if (first === undefined) return next;
  const { grace_ms = ownGraceMs } = next;
  return { signal: first.signal, grace_ms: Math.min(first.grace_ms ?? ownGraceMs, grace_ms) };
}
