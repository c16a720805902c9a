import { Deadline } from '../task/deadline.js';

/** How often the clock is looked at while something waits for it: nothing tells when it is set. */
const LOOK_EVERY_MS = 1000;

/**
 * Calls back when a clock has come to a time, also when that is far away, and within a second when the clock is set or the
 * machine has slept. It keeps no process alive.
 */
export class ClockAlarm {
  #at: number | undefined;
  #timer: Deadline | undefined;

  /** @param clock in milliseconds. @param ring is told once for each time that is set */
  constructor(
    private readonly clock: () => number,
    private readonly ring: () => void,
  ) {}

  /** Waits for this time of the clock in the place of the one before. @param at undefined: for none. */
  set(at: number | undefined): void {
    if (at === this.#at) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#at = at;
    if (at !== undefined) this.#arm(at);
  }

  #arm(at: number): void {
    const leftMs = Math.max(0, Math.min(at - this.clock(), LOOK_EVERY_MS));
    this.#timer = new Deadline(leftMs, () => {
      if (this.clock() < at) this.#arm(at);
      else {
        this.#at = undefined;
        this.ring();
      }
    }).unref();
  }
}
