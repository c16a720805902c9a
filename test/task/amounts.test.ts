import fc from 'fast-check';
import { expect, test } from 'vitest';
import { amountTexts } from '../../src/task/amounts.js';
import { RESOURCE_KEYS } from '../../src/task/resources.js';

const GIB = 1024 ** 3;

test.each([
  ['memory_bytes', 6 * GIB, 2 * GIB, 8 * GIB, '6 GiB of memory', '2 GiB of 8 GiB'],
  ['memory_bytes', 1_500_000, 0, 1_600_000, '1.43 MiB of memory', '0 bytes of 1.53 MiB'],
  ['memory_bytes', 6 * GIB + 1, 6 * GIB, 8 * GIB, '6442450945 bytes of memory', '6442450944 of 8589934592'],
  ['task_slots', 1, 0, 4, '1 slot', '0 of 4'],
  ['cpu_millis', 1500, 250, 8000, '1.5 cores', '0.25 of 8'],
  ['cpu_millis', 1001, 999, 1000, '1001 thousandths of a core', '999 of 1000'],
  ['disk_bytes', 6 * GIB, 2 * GIB, 8 * GIB, '6 GiB of disk', '2 GiB of 8 GiB'],
  ['resources.gpu', 2, 1, 4, '2 gpu', '1 of 4'],
  ['pids', 20, 19, 100, '20 processes', '19 of 100'],
] as const)('%s: %i, %i of %i', (resource, requested, free, limit, asked, left) => {
  expect(amountTexts(resource, { requested, free, limit })).toEqual({ requested: asked, left });
});

test('two amounts that differ never read the same', () => {
  const amount = fc.nat({ max: Number.MAX_SAFE_INTEGER });
  fc.assert(
    fc.property(fc.constantFrom(...RESOURCE_KEYS), amount, amount, (resource, free, more) => {
      const requested = Math.min(free + 1 + more, Number.MAX_SAFE_INTEGER);
      fc.pre(requested > free);
      const texts = amountTexts(resource, { requested, free, limit: requested });
      const [number = ''] = texts.requested.split(/ of | slot| core| process| bytes| thousandths/);
      expect(texts.left.startsWith(`${number} of`)).toBe(false);
    }),
  );
});
