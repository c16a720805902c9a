import os from 'node:os';

/** For how long an answer of the system is counted on from by the process's own clock, in milliseconds. */
const TRUSTED_MS = 1000;

/**
 * Milliseconds since boot, also those that the machine slept. The system is asked at most once a second, because that
 * reads a file of /proc (15 µs, and each task that ends needs the time): after a sleep it may be that much behind.
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
