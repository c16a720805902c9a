import { constants } from 'node:os';
import { Deadline } from './deadlines.js';

const { SIGCONT } = constants.signals;

/**
 * Ends one process tree: a signal now, KILL after the grace. The first stop counts; of a later one, only a shorter grace,
 * and the signal of a wall time that passes after a kill with another.
 */
export class TaskStop {
  readonly #signal: (signal: number) => void;
  readonly #kill: () => void;
  /** What was requested before there was a process; undefined once there is. */
  #early: (() => void)[] | undefined = [];
  #first: 'timeout' | 'kill' | undefined;
  #signalled: number | undefined;
  #deadline: Deadline | undefined;

  constructor(signal: (signal: number) => void, kill: () => void) {
    this.#signal = signal;
    this.#kill = kill;
  }

  /** What has ended it, if anything. */
  get first(): 'timeout' | 'kill' | undefined {
    return this.#first;
  }

  /** There is a process to stop. */
  begin(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const request of early) request();
  }

  /** @param graceMs milliseconds; with 0 only KILL is sent. */
  request(reason: 'timeout' | 'kill', signal: number, graceMs: number): void {
    if (this.#early !== undefined) {
      this.#early.push(() => this.request(reason, signal, graceMs));
      return;
    }
    if (this.#first === undefined || (reason === 'timeout' && this.#signalled !== signal)) {
      this.#first ??= reason;
      this.#signalled = signal;
      // A stopped process takes its signal only when it goes on.
      if (graceMs > 0) for (const each of [signal, SIGCONT]) this.#signal(each);
    }
    if (this.#deadline !== undefined && this.#deadline.leftMs <= graceMs) return;
    this.#deadline?.cancel();
    if (graceMs > 0) this.#deadline = new Deadline(graceMs, this.#kill);
    else this.#kill();
  }

  /** Nothing is left to kill. */
  cancel(): void {
    this.#deadline?.cancel();
  }
}
