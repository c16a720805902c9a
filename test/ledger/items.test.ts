import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Ledger, type Claim } from '../../src/ledger/ledger.js';
import type { NamedResource } from '../../src/task/named-resource.js';
import type { ResourceItems, Resources } from '../../src/task/resources.js';

const claim = (resources: Record<string, number>): Claim => ({
  tenant: undefined,
  queue: 'default',
  lane: undefined,
  reservation: { task_slots: 1, resources },
});

/** A machine with these items, or so many, of each resource. */
function machine(named: Record<string, string[] | number>): Ledger {
  const resources = new Map<string, NamedResource>(
    Object.entries(named).map(([name, has]) => [
      name,
      typeof has === 'number'
        ? { amount: has, variables: [] }
        : { amount: has.length, items: has, variables: [] },
    ]),
  );
  const amounts = Object.fromEntries([...resources].map(([name, { amount }]) => [name, amount]));
  const capacity: Resources = { task_slots: 100, resources: amounts };
  return new Ledger({ capacity, quotas: new Map(), resources });
}

test('a task gets the first items that nobody has, and others get them when it gives them back', () => {
  const ledger = machine({ gpu: ['a', 'b', 'c'], licence: 2 });
  ledger.reserve('1', claim({ gpu: 2, licence: 1 }), 0);
  ledger.reserve('2', claim({ gpu: 1 }), 0);
  expect([ledger.itemsOf('1'), ledger.itemsOf('2')]).toEqual([{ gpu: ['a', 'b'] }, { gpu: ['c'] }]);
  expect(ledger.fits(claim({ gpu: 1 }))).toBe(false);
  expect(ledger.fits(claim({ licence: 1 }))).toBe(true);
  expect(ledger.available().resources).toEqual({ gpu: 0, licence: 1 });
  ledger.release('1');
  ledger.reserve('3', claim({ gpu: 1 }), 0);
  expect(ledger.itemsOf('3')).toEqual({ gpu: ['a'] });
});

test('what is not named there is nothing of', () => {
  const ledger = machine({ gpu: 1 });
  for (const name of ['tpu', 'constructor'])
    expect(ledger.canEverFit(claim({ [name]: 1 }))).toEqual({
      ...{ resource: `resources.${name}`, requested: 1, capacity: 0, scope: 'capacity' },
    });
  expect(ledger.canEverFit(claim({ gpu: 1 }))).toBeUndefined();
});

test('items that there are no more take nothing of those that have come', () => {
  const ledger = machine({ gpu: ['a', 'x', 'y'] });
  ledger.restore('1', claim({ gpu: 2 }), 0, { gpu: ['a', 'b'] });
  expect(ledger.reserved().resources).toEqual({ gpu: 1 });
  ledger.reserve('2', claim({ gpu: 2 }), 0);
  expect(ledger.itemsOf('2')).toEqual({ gpu: ['x', 'y'] });
  ledger.release('1');
  expect(ledger.reserved().resources).toEqual({ gpu: 2 });
  ledger.release('2');
  expect(ledger.reserved().resources).toEqual({ gpu: 0 });
});

test('while nobody can say which items a task has, none is given to another', () => {
  const ledger = machine({ gpu: ['a', 'b', 'c'], tpu: ['t'] });
  ledger.restore('1', claim({ gpu: 1 }), 0, 'unknown');
  expect([ledger.fits(claim({ gpu: 1 })), ledger.fits(claim({ tpu: 1 }))]).toEqual([false, true]);
  ledger.release('1');
  expect(ledger.fits(claim({ gpu: 3 }))).toBe(true);
});

test('no item is given to two, over restarts with other items too, and what fits has items enough', () => {
  const items = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1 });
  const has = fc.record({ gpu: fc.oneof(items, items, fc.integer({ min: 1, max: 4 })) });
  const start = fc.record({ kind: fc.constant('start' as const), gpu: fc.integer({ min: 1, max: 4 }) });
  const end = fc.record({ kind: fc.constant('end' as const), which: fc.nat() });
  const restart = fc.record({ kind: fc.constant('restart' as const), has, loses: fc.option(fc.nat()) });
  const step = fc.oneof({ weight: 5, arbitrary: start }, { weight: 3, arbitrary: end }, restart);
  fc.assert(
    fc.property(has, fc.array(step, { maxLength: 40 }), (first, steps) => {
      let ledger = machine(first);
      const running = new Map<string, { gpu: number; items: ResourceItems; unknown: boolean }>();
      steps.forEach((s, i) => {
        if (s.kind === 'start' && ledger.fits(claim({ gpu: s.gpu }))) {
          ledger.reserve(`${i}`, claim({ gpu: s.gpu }), 0);
          running.set(`${i}`, { gpu: s.gpu, items: ledger.itemsOf(`${i}`), unknown: false });
        }
        const ids = [...running.keys()];
        if (s.kind === 'end' && ids.length > 0) {
          const id = ids[s.which % ids.length]!;
          expect(ledger.release(id)).toBe(running.delete(id));
        }
        if (s.kind === 'restart') {
          const lost = s.loses === null ? undefined : ids[s.loses % Math.max(1, ids.length)];
          ledger = machine(s.has);
          for (const [id, task] of running) {
            task.unknown ||= id === lost;
            ledger.restore(id, claim({ gpu: task.gpu }), 0, task.unknown ? 'unknown' : task.items);
          }
        }
        // What they really have, whatever the ledger still knows of it.
        const held = [...running.values()].flatMap((task) => task.items['gpu'] ?? []);
        expect(new Set(held).size).toBe(held.length);
        for (const { gpu, items: own } of running.values())
          if (own['gpu'] !== undefined) expect(own['gpu']).toHaveLength(gpu);
        expect(ledger.available().resources!['gpu']).toBeGreaterThanOrEqual(0);
        if (running.size === 0) expect(ledger.reserved().resources).toEqual({ gpu: 0 });
      });
    }),
    { numRuns: 2000 },
  );
});
