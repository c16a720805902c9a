import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Ordered } from '../../src/ledger/ordered.js';

test('it is sorted, and says how many come before one, whatever comes and goes', () => {
  const steps = fc.array(fc.tuple(fc.boolean(), fc.nat({ max: 3000 })), { maxLength: 3000, minLength: 1500 });
  fc.assert(
    fc.property(steps, (all) => {
      const ordered = new Ordered<number>((a, b) => a < b);
      const there = new Set<number>();
      for (const [isAdded, n] of all) {
        if (isAdded && !there.has(n)) {
          there.add(n);
          ordered.add(n);
        } else if (!isAdded && there.delete(n)) ordered.remove(n);
      }
      const sorted = [...there].sort((a, b) => a - b);
      expect([ordered.size, ordered.first]).toEqual([sorted.length, sorted[0]]);
      for (const skipped of [0, 1, 511, 512, 700, 5000])
        expect([...ordered.items(skipped)]).toEqual(sorted.slice(skipped));
      for (const [i, n] of sorted.entries()) expect(ordered.position(n)).toBe(i);
      for (const n of [-1, 1500.5, 3001])
        expect(ordered.position(n)).toBe(sorted.filter((m) => m < n).length);
    }),
    { numRuns: 20 },
  );
});
