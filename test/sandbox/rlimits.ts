import type { Rlimit } from '../../src/sandbox/limits/limit.js';
import { LIMITS, type LimitName } from '../../src/sandbox/limits/limits.js';

/** These limits of a request as the launch chain sets them. */
export function rlimits(asked: Partial<Record<LimitName, number>>): Rlimit[] {
  return LIMITS.flatMap(({ name, holders }) => {
    const value = asked[name];
    const holder = holders.find((each) => each.by === 'rlimit');
    return holder === undefined || value === undefined ? [] : [holder.rlimit(value)];
  });
}
