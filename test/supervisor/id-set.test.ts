import fc from 'fast-check';
import { expect, test } from 'vitest';
import { IdSet } from '../../src/supervisor/run/id-set.js';

test('holds exactly what was added, in any order', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -5, max: 40 })), (ids) => {
      const set = new IdSet();
      for (const id of ids) set.add(id);
      for (let id = -6; id <= 41; id++) expect(set.has(id)).toBe(ids.includes(id));
    }),
  );
});
