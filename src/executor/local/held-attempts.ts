import type { AdoptedAttempt, Attempt, KillOrder, ProcessFacts } from '../executor.js';

/** An attempt that a supervisor was told of, or will be, and whose end was not yet told to the runtime. */
export interface HeldAttempt {
  readonly attempt: Attempt;
  /** Its process, once its start was told. */
  started: ProcessFacts | undefined;
  /** An earlier daemon has launched it, and this one has heard nothing of it yet. */
  adopted: boolean;
  kill: KillOrder | undefined;
  /** What it was told to do last, unless that has lost its sense since. */
  turn: 'pause' | 'resume' | undefined;
  /** Its end is being told; resolves with whether it was written down. */
  ending: Promise<boolean> | undefined;
}

/** All attempts that are held, by their ids. */
export class HeldAttempts {
  readonly #byId = new Map<number, HeldAttempt>();

  add(attempt: Attempt): HeldAttempt {
    return this.#add({
      ...{ attempt, started: undefined, adopted: false },
      ...{ kill: undefined, turn: undefined, ending: undefined },
    });
  }

  adopt({ started, kill, paused, ...attempt }: AdoptedAttempt): HeldAttempt {
    const turn = paused && kill === undefined ? 'pause' : undefined;
    return this.#add({ attempt, started, adopted: true, kill, turn, ending: undefined });
  }

  get(launchId: number): HeldAttempt | undefined {
    return this.#byId.get(launchId);
  }

  /** The attempt with this id that was given to this supervisor; if a token is given, only with that token. */
  of(incarnation: string, launchId: number, token?: string): HeldAttempt | undefined {
    const held = this.#byId.get(launchId);
    if (held?.attempt.incarnation !== incarnation) return undefined;
    return token === undefined || held.attempt.launch_token === token ? held : undefined;
  }

  /** All attempts that were given to one supervisor. */
  under(incarnation: string): HeldAttempt[] {
    return [...this.#byId.values()].filter(({ attempt }) => attempt.incarnation === incarnation);
  }

  all(): HeldAttempt[] {
    return [...this.#byId.values()];
  }

  has(held: HeldAttempt): boolean {
    return this.#byId.get(held.attempt.launch_id) === held;
  }

  remove(held: HeldAttempt): void {
    if (this.has(held)) this.#byId.delete(held.attempt.launch_id);
  }

  #add(held: HeldAttempt): HeldAttempt {
    this.#byId.set(held.attempt.launch_id, held);
    return held;
  }
}
