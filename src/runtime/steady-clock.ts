/** What tells the present: see `Core`. */
export interface Clocks {
  readonly now: () => number;
  readonly steady: () => number;
}

/**
 * The time on the steady clock at which the wall clock showed `atMs`: durations measured from there do not change when the
 * wall clock is set. A time in the future, after the clock was set back, counts as now.
 * @param atMs Unix time in milliseconds
 */
export function onSteadyClock(clocks: Clocks, atMs: number): number {
  return clocks.steady() - Math.max(0, clocks.now() - atMs);
}
