import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Ledger, type Claim } from '../../src/ledger/ledger.js';
import { RESOURCE_KEYS, type Resources } from '../../src/task/resources.js';

const MAX = Number.MAX_SAFE_INTEGER;

function claim(reservation: Resources, tenant?: string): Claim {
  return { tenant, queue: 'default', lane: undefined, reservation };
}

describe('a ledger', () => {
  test('tells what can never fit from what does not fit now', () => {
    const quotas = new Map([['acme', { task_slots: 1, pids: 5 }]]);
    const ledger = new Ledger({ capacity: { task_slots: 2, memory_bytes: 100 }, quotas });
    expect(ledger.canEverFit(claim({ task_slots: 1, memory_bytes: 100, pids: MAX }))).toBeUndefined();
    expect(ledger.canEverFit(claim({ task_slots: 1, memory_bytes: 101 }, 'acme'))).toEqual({
      resource: 'memory_bytes',
      requested: 101,
      capacity: 100,
      scope: 'capacity',
    });
    expect(ledger.canEverFit(claim({ task_slots: 1, pids: 6 }, 'acme'))).toEqual({
      resource: 'pids',
      requested: 6,
      capacity: 5,
      scope: 'quota',
    });
    ledger.reserve('a', claim({ task_slots: 1, memory_bytes: 60 }, 'acme'), 5);
    expect(ledger.fits(claim({ task_slots: 1, memory_bytes: 41 }))).toBe(false);
    expect(ledger.fits(claim({ task_slots: 1, memory_bytes: 40 }))).toBe(true);
    expect(ledger.fits(claim({ task_slots: 1 }, 'acme'))).toBe(false);
    expect(ledger.canEverFit(claim({ task_slots: 1 }, 'acme'))).toBeUndefined();
    expect(() => ledger.reserve('a', claim({ task_slots: 1 }, 'acme'), 6)).toThrow('already');
    expect(ledger.entries()).toEqual([
      {
        task_id: 'a',
        tenant: 'acme',
        queue: 'default',
        lane: undefined,
        reservation: { task_slots: 1, memory_bytes: 60 },
        reserved_at_ms: 5,
        items: {},
      },
    ]);
  });

  test('shows every tenant with a quota, at zero too, and others while they hold something', () => {
    const quotas = new Map([['idle', { task_slots: 3 }]]);
    const ledger = new Ledger({ capacity: { task_slots: 4, cpu_millis: 2000 }, quotas });
    const idle = {
      tenant: 'idle',
      quota: { task_slots: 3 },
      reserved: { task_slots: 0 },
      available: { task_slots: 3 },
    };
    expect(ledger.tenantUse()).toEqual([idle]);
    ledger.reserve('a', claim({ task_slots: 1, memory_bytes: 7 }, 'guest'), 0);
    expect(ledger.tenantUse()).toEqual([
      { tenant: 'guest', reserved: { task_slots: 1, memory_bytes: 7 } },
      idle,
    ]);
    expect(ledger.reserved()).toEqual({ task_slots: 1, cpu_millis: 0, memory_bytes: 7 });
    expect(ledger.available()).toEqual({ task_slots: 3, cpu_millis: 2000 });
    expect(ledger.release('a')).toBe(true);
    expect(ledger.tenantUse()).toEqual([idle]);
  });

  test('takes what was reserved before a capacity was lowered, and never shows less than nothing', () => {
    const ledger = new Ledger({ capacity: { task_slots: 1, memory_bytes: 10 }, quotas: new Map() });
    ledger.reserve('a', claim({ task_slots: 1, memory_bytes: 30 }), 0);
    ledger.reserve('b', claim({ task_slots: 1, memory_bytes: MAX }), 0);
    expect(ledger.available()).toEqual({ task_slots: 0, memory_bytes: 0 });
    expect(ledger.freeSlots()).toBe(-1);
    ledger.release('b');
    ledger.release('a');
    expect(ledger.available()).toEqual({ task_slots: 1, memory_bytes: 10 });
  });

  test('adds exactly beyond 2^53', () => {
    const ledger = new Ledger({ capacity: { task_slots: MAX }, quotas: new Map() });
    const odd = MAX - 2;
    for (const id of ['a', 'b', 'c']) ledger.reserve(id, claim({ task_slots: 1, memory_bytes: odd }, 't'), 0);
    expect(ledger.reserved().memory_bytes).toBe(MAX);
    ledger.release('a');
    ledger.release('b');
    expect(ledger.reserved().memory_bytes).toBe(odd);
    ledger.release('c');
    expect(ledger.reserved()).toEqual({ task_slots: 0 });
  });

  test('never passes capacity or quota, and equals the sum of what is unreleased, whatever happens', () => {
    const amount = fc.option(fc.integer({ min: 0, max: 12 }), { nil: undefined });
    const resources: fc.Arbitrary<Resources> = fc.record({
      task_slots: fc.integer({ min: 1, max: 2 }),
      cpu_millis: amount,
      memory_bytes: amount,
      pids: amount,
      disk_bytes: amount,
    });
    const limits = fc.record({
      task_slots: fc.integer({ min: 0, max: 6 }),
      cpu_millis: amount,
      memory_bytes: amount,
      pids: amount,
      disk_bytes: amount,
    });
    const tenant = fc.constantFrom(undefined, 'a', 'b');
    const step = fc.record({
      id: fc.integer({ min: 0, max: 8 }).map(String),
      tenant,
      resources,
      release: fc.boolean(),
    });
    fc.assert(
      fc.property(limits, limits, fc.array(step, { maxLength: 60 }), (capacity, quota, steps) => {
        const ledger = new Ledger({ capacity, quotas: new Map([['a', quota]]) });
        const model = new Map<string, { tenant: string | undefined; resources: Resources }>();
        const sum = (of: string | null, key: (typeof RESOURCE_KEYS)[number]) =>
          [...model.values()]
            .filter((e) => of === null || e.tenant === of)
            .reduce((total, e) => total + (e.resources[key] ?? 0), 0);
        for (const s of steps) {
          if (s.release) expect(ledger.release(s.id)).toBe(model.delete(s.id));
          else if (!model.has(s.id)) {
            const allows = (bounds: Resources, of: string | null) =>
              RESOURCE_KEYS.every(
                (k) =>
                  (s.resources[k] ?? 0) === 0 ||
                  sum(of, k) + (s.resources[k] ?? 0) <= (bounds[k] ?? Infinity),
              );
            const fits = allows(capacity, null) && (s.tenant !== 'a' || allows(quota, 'a'));
            expect(ledger.fits(claim(s.resources, s.tenant))).toBe(fits);
            if (fits) {
              expect(ledger.canEverFit(claim(s.resources, s.tenant))).toBeUndefined();
              ledger.reserve(s.id, claim(s.resources, s.tenant), 0);
              model.set(s.id, s);
            }
          }
          const used = ledger.tenantUse().find((t) => t.tenant === 'a')!.reserved;
          for (const key of RESOURCE_KEYS) {
            expect(ledger.reserved()[key] ?? 0).toBe(sum(null, key));
            expect(sum(null, key)).toBeLessThanOrEqual(capacity[key] ?? Infinity);
            expect(used[key] ?? 0).toBe(sum('a', key));
            expect(sum('a', key)).toBeLessThanOrEqual(quota[key] ?? Infinity);
          }
          expect(ledger.entries()).toHaveLength(model.size);
        }
      }),
    );
  });
});
