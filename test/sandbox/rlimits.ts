import type { Rlimit } from '../../src/sandbox/limits/limit.js';
import { LIMITS, type LimitName } from '../../src/sandbox/limits/limits.js';

/** These limits of a request as the launch chain sets them. */
export function rlimits(asked: Partial<Record<LimitName, number>>): Rlimit[] {
  return LIMITS.flatMap(({ name, holders }) => {
    const value = asked[name];
    return holders.flatMap((each) =>
      each.by === 'rlimit' && value !== undefined ? [each.rlimit(value)] : [],
    );
  });
}
