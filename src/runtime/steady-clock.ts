/** What tells the present, in milliseconds. */
export interface Clocks {
  /** Unix time. */
  readonly now: () => number;
  /** Unix time at the start, plus the time since by a clock that is never set; for all durations. */
  readonly steady: () => number;
  /** A clock that goes on while no daemon runs and that nobody sets; only differences between its times have a meaning. */
  readonly lasting: () => number;
}

/**
 * The time on the steady clock at which the wall clock showed `atMs`: durations measured from there do not change when the
 * wall clock is set. A time in the future, after the clock was set back, counts as now.
 * @param atMs Unix time in milliseconds
 */
export function onSteadyClock(clocks: Clocks, atMs: number): number {
  return clocks.steady() - Math.max(0, clocks.now() - atMs);
}
