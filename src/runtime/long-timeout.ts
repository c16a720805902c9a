/** The longest delay that Node's timers take. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/**
 * setTimeout for delays up to 2^53-1 ms: those beyond Node's bound are chained. It does not keep the process alive: a
 * daemon that stops does not wait for what its tasks wait for.
 * @returns a function that clears it
 */
export function longTimeout(callback: () => void, delayMs: number): () => void {
  let timer: NodeJS.Timeout;
  const arm = (left: number) => {
    const step = Math.min(left, MAX_DELAY_MS);
    timer = setTimeout(() => {
      if (left > step) arm(left - step);
      else callback();
    }, step);
    timer.unref();
  };
  arm(Math.max(0, delayMs));
  return () => {
    clearTimeout(timer);
  };
}
