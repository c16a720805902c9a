import os from 'node:os';

/** How long the process's own clock is added to the last answer of the system before it is asked again, in milliseconds. */
const TRUSTED_MS = 1000;

/**
 * Milliseconds since boot, including those that the machine slept. The system is asked at most once a second, because that
 * reads a file of /proc (15 µs, and the time is needed at each task's end): after a sleep the answer may be up to that much
 * too low.
 */
export function uptimeMs(): () => number {
  let asked = -Infinity;
  let answer = 0;
  return () => {
    const now = performance.now();
    if (now - asked >= TRUSTED_MS) {
      asked = now;
      answer = os.uptime() * 1000;
    }
    return answer + (now - asked);
  };
}
