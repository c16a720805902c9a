/** What tells the present: see `Core`. */
export interface Clocks {
  readonly now: () => number;
  readonly steady: () => number;
}

/**
 * The moment on the steady clock that the wall clock dates at `atMs`: what is measured from there does not change when the
 * wall clock is set. What lies in the future for a clock that was set back is taken for now.
 * @param atMs Unix time in milliseconds
 */
export function onSteadyClock(clocks: Clocks, atMs: number): number {
  return clocks.steady() - Math.max(0, clocks.now() - atMs);
}
