/** The longest delay that a timer of Node takes, in milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Calls `passed` once when `delayMs` have passed on the monotonic clock, however long that is. */
export class Deadline {
  #at: number;
  /** What was left when it was made to stand still; undefined while it runs. */
  #standsAtMs: number | undefined;
  readonly #passed: () => void;
  #keepsAlive = true;
  #timer: NodeJS.Timeout | undefined;

  /** @param delayMs from now, in milliseconds, up to 2^53-1; one that is past counts as now. */
  constructor(delayMs: number, passed: () => void) {
    this.#at = performance.now() + delayMs;
    this.#passed = passed;
    this.#arm(delayMs);
  }

  /** Milliseconds until it passes; 0 once it has. */
  get leftMs(): number {
    return this.#standsAtMs ?? Math.max(0, this.#at - performance.now());
  }

  /** It does not pass until {@link goOn}, which has as much time left as there is now. */
  standStill(): void {
    this.#standsAtMs = this.leftMs;
    clearTimeout(this.#timer);
  }

  goOn(): void {
    if (this.#standsAtMs === undefined) return;
    const leftMs = this.#standsAtMs;
    this.#standsAtMs = undefined;
    this.#at = performance.now() + leftMs;
    this.#arm(leftMs);
  }

  /** Whoever waits for nothing else is not kept alive by it. */
  unref(): this {
    this.#keepsAlive = false;
    this.#timer?.unref();
    return this;
  }

  cancel(): void {
    this.#standsAtMs = undefined;
    clearTimeout(this.#timer);
  }

  #arm(leftMs: number): void {
    this.#timer = setTimeout(
      () => {
        // A timer may fire up to a millisecond early, and a long delay takes several timers.
        const left = this.leftMs;
        if (left > 0) this.#arm(left);
        else this.#passed();
      },
      Math.min(Math.ceil(leftMs), MAX_TIMER_MS),
    );
    if (!this.#keepsAlive) this.#timer.unref();
  }
}
