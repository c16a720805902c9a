import type {
  AdoptedAttempt,
  Attempt,
  Executor,
  ExecutorEvents,
  Place,
} from '../../src/executor/executor.js';
import type { Outcome, Running } from '../../src/supervisor/wire/protocol.js';
import { waitFor } from '../harness/wait.js';

/** What an attempt of the suite does once it has begun. */
export type Work =
  /** Ends at once. */
  | { does: 'exit'; code: number }
  /** Cannot begin: there is no such program. */
  | { does: 'nothing' }
  /** Prints `begun`, runs until it is told to end, prints `finished` and exits with 0, each on a line of its own. */
  | { does: 'wait'; wallTimeMs?: number }
  /** Runs until a signal ends it, and gets on meanwhile. */
  | { does: 'run'; wallTimeMs?: number }
  /** Runs until KILL ends it. */
  | { does: 'resist' };

/** Where one kind of executor can be tried: what outlives a daemon, and what the test can see and do without the port. */
export interface World {
  /** Another executor over the same state. The one before must have been closed. */
  open: (events: ExecutorEvents) => Executor;
  /** An attempt that is committed and that no place has heard of. */
  attempt: (work: Work, place: Place) => Attempt;
  /** How often it has begun, whoever knows of it. */
  begun: (attempt: Attempt) => number;
  /** How far one that runs has got: grows as long as it is not paused. */
  progress: (attempt: Attempt) => number;
  /** True while anything of it is there. */
  runs: (attempt: Attempt) => boolean;
  /** What can be read of its stdout in the task's directory. */
  output: (attempt: Attempt) => string;
  /** Lets one that waits end. */
  finish: (attempt: Attempt) => void;
  /** The place dies and has no time for a word; what runs there goes on. */
  crash: (place: Place) => Promise<void>;
  /** False once the place has ended or died. */
  lives: (place: Place) => boolean;
}

/** From TERM to KILL where an order says nothing: longer than a test has patience. Milliseconds. */
export const OWN_GRACE_MS = 45_000;

/** An attempt as a later daemon finds it in its database. */
export function adopted(attempt: Attempt, known: Partial<AdoptedAttempt> = {}): AdoptedAttempt {
  return { ...attempt, started: undefined, kill: undefined, paused: false, ...known };
}

/** Listens to an executor as a runtime does that writes nothing down; what is doubled is kept as often as it came. */
export class Told implements ExecutorEvents {
  readonly starts: { id: number; running: Running; recovered: boolean }[] = [];
  readonly timeouts: { id: number; atMs: number }[] = [];
  readonly turns: { id: number; to: 'paused' | 'resumed'; atMs: number }[] = [];
  readonly ends: { id: number; outcome: Outcome }[] = [];
  readonly refusals: { id: number; reason: string; again: boolean }[] = [];
  readonly losses: { id: number; running: Running | undefined }[] = [];
  readies = 0;

  /** @param takes what is answered to an end: false where it cannot be written down @param seeEnd called when it is told */
  constructor(
    private readonly takes = true,
    private readonly seeEnd?: (attempt: Attempt) => void,
  ) {}

  started(attempt: Attempt, running: Running, recovered: boolean): void {
    this.starts.push({ id: attempt.launch_id, running, recovered });
  }

  timedOut(attempt: Attempt, atMs: number): void {
    this.timeouts.push({ id: attempt.launch_id, atMs });
  }

  paused(attempt: Attempt, atMs: number): void {
    this.turns.push({ id: attempt.launch_id, to: 'paused', atMs });
  }

  resumed(attempt: Attempt, atMs: number): void {
    this.turns.push({ id: attempt.launch_id, to: 'resumed', atMs });
  }

  ended(attempt: Attempt, outcome: Outcome): Promise<boolean> {
    this.seeEnd?.(attempt);
    this.ends.push({ id: attempt.launch_id, outcome });
    return Promise.resolve(this.takes);
  }

  refused(attempt: Attempt, reason: string, again: boolean): void {
    this.refusals.push({ id: attempt.launch_id, reason, again });
  }

  lost(attempt: Attempt, running: Running | undefined): Promise<boolean> {
    this.losses.push({ id: attempt.launch_id, running });
    return Promise.resolve(this.takes);
  }

  ready(): void {
    this.readies++;
  }

  startOf({ launch_id }: Attempt) {
    return waitFor(() => this.starts.find(({ id }) => id === launch_id), { what: `start ${launch_id}` });
  }

  /** Waits until it is told to have been paused, or to go on, later than `afterMs`. @returns when that was */
  async turnOf({ launch_id }: Attempt, to: 'paused' | 'resumed', afterMs = 0): Promise<number> {
    const isIt = (turn: Told['turns'][number]) =>
      turn.id === launch_id && turn.to === to && turn.atMs > afterMs;
    return (await waitFor(() => this.turns.find(isIt), { what: `${launch_id} to be ${to}` })).atMs;
  }

  async endOf({ launch_id }: Attempt): Promise<Outcome> {
    const isIt = ({ id }: { id: number }) => id === launch_id;
    return (await waitFor(() => this.ends.find(isIt), { what: `end ${launch_id}` })).outcome;
  }

  lossOf({ launch_id }: Attempt) {
    return waitFor(() => this.losses.find(({ id }) => id === launch_id), { what: `loss ${launch_id}` });
  }

  refusalOf({ launch_id }: Attempt) {
    return waitFor(() => this.refusals.find(({ id }) => id === launch_id), { what: `refusal ${launch_id}` });
  }

  /** How its story closed, as words, each once: more than one would be a contradiction. */
  closings({ launch_id }: Attempt): string[] {
    const isIt = ({ id }: { id: number }) => id === launch_id;
    const ended = this.ends.filter(isIt).map(({ outcome }) => `ended ${JSON.stringify(outcome)}`);
    const refused = this.refusals.some(isIt) ? ['refused'] : [];
    const lost = this.losses.some(isIt) ? ['lost'] : [];
    return [...new Set(ended), ...refused, ...lost];
  }

  /** Waits until its story has closed. */
  closed(attempt: Attempt): Promise<string[]> {
    const closings = () => {
      const found = this.closings(attempt);
      return found.length > 0 && found;
    };
    return waitFor(closings, { what: `any end of ${attempt.launch_id}` });
  }
}
