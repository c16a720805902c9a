import type { Core } from './core.js';

/**
 * The moment on the steady clock that the wall clock dates at `atMs`: what is measured from there does not change when the
 * wall clock is set. What lies in the future for a clock that was set back is taken for now.
 * @param atMs Unix time in milliseconds
 */
export function onSteadyClock(core: Pick<Core, 'now' | 'steady'>, atMs: number): number {
  return core.steady() - Math.max(0, core.now() - atMs);
}
