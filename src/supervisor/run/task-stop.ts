import { constants } from 'node:os';
import { Deadline } from '../../task/deadline.js';

const { SIGCONT } = constants.signals;

/** `signal` now, or as soon as there is a process; KILL `graceMs` milliseconds later. With 0 only KILL is sent. */
export interface StopRequest {
  reason: 'timeout' | 'kill' | 'disk';
  signal: number;
  graceMs: number;
}

/**
 * Ends one process tree: a signal now, SIGKILL after the grace. Only the first stop counts. A later one can shorten the
 * grace; and a wall time that passes after a kill with another signal still sends its own.
 */
export class TaskStop {
  readonly #signal: (signal: number) => void;
  readonly #kill: () => void;
  #first: StopRequest['reason'] | undefined;
  #signalled: number | undefined;
  #deadline: Deadline | undefined;

  constructor(signal: (signal: number) => void, kill: () => void) {
    this.#signal = signal;
    this.#kill = kill;
  }

  /** What has ended it, if anything. */
  get first(): StopRequest['reason'] | undefined {
    return this.#first;
  }

  request({ reason, signal, graceMs }: StopRequest): void {
    if (this.#first === undefined || (reason === 'timeout' && this.#signalled !== signal)) {
      this.#first ??= reason;
      this.#signalled = signal;
      // A stopped process handles its signal only after SIGCONT.
      if (graceMs > 0) for (const each of [signal, SIGCONT]) this.#signal(each);
    }
    if (this.#deadline !== undefined && this.#deadline.leftMs <= graceMs) return;
    this.#deadline?.cancel();
    if (graceMs > 0) this.#deadline = new Deadline(graceMs, this.#kill);
    else this.#kill();
  }

  /** To be called when nothing is left to kill. */
  cancel(): void {
    this.#deadline?.cancel();
  }
}
