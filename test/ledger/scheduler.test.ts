import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Ledger } from '../../src/ledger/ledger.js';
import { WaitingQueue, type WaitingTask } from '../../src/ledger/scheduler.js';
import { RESOURCE_KEYS, type Resources } from '../../src/task/resources.js';

const STARVATION = 1000;
let seq = 0;

function waiting(task_id: string, more: Partial<WaitingTask> & { memory?: number } = {}): WaitingTask {
  const { memory, ...rest } = more;
  const reservation: Resources = { task_slots: 1, ...(memory === undefined ? {} : { memory_bytes: memory }) };
  return {
    task_id,
    tenant: undefined,
    priority: 0,
    submit_seq: ++seq,
    accepted_at_ms: 0,
    reservation,
    ...rest,
  };
}

function machine(slots: number, memory?: number, quotas: Record<string, Resources> = {}): Ledger {
  return new Ledger({
    capacity: { task_slots: slots, memory_bytes: memory },
    quotas: new Map(Object.entries(quotas)),
  });
}

function queue(...tasks: WaitingTask[]): WaitingQueue {
  const q = new WaitingQueue({ starvationMs: STARVATION });
  for (const task of tasks) q.add(task);
  return q;
}

/** Starts everything that may start now. */
function startAll(q: WaitingQueue, ledger: Ledger, now: number, tasks: WaitingTask[]): string[] {
  const started: string[] = [];
  for (let id = q.next(ledger, now); id !== undefined; id = q.next(ledger, now)) {
    const task = tasks.find((t) => t.task_id === id)!;
    expect(ledger.refusal(task.reservation, task.tenant)).toBeUndefined();
    expect(q.remove(id)).toBe(true);
    ledger.reserve(id, task.tenant, task.reservation, now);
    started.push(id);
  }
  return started;
}

describe('the waiting queue', () => {
  test('goes by priority, then by age, when all are equal otherwise', () => {
    const tasks = [
      waiting('a'),
      waiting('low', { priority: -1 }),
      waiting('high', { priority: 9 }),
      waiting('b'),
      waiting('high2', { priority: 9 }),
    ];
    const q = queue(...[...tasks].reverse());
    const order = ['high', 'high2', 'a', 'b', 'low'];
    expect(startAll(q, machine(9), 0, tasks)).toEqual(order);
    expect([q.size, q.next(machine(9), 0)]).toEqual([0, undefined]);
  });

  test('knows its size, takes a task once, and lets it go once', () => {
    const a = waiting('a');
    const q = queue(waiting('b', { priority: 5 }), a, a);
    expect(q.size).toBe(2);
    expect([q.remove('a'), q.remove('a'), q.remove('never')]).toEqual([true, false, false]);
    expect(q.size).toBe(1);
  });

  test('lets a smaller task pass one that does not fit, until that one starves', () => {
    const tasks = [
      waiting('big', { memory: 80 }),
      waiting('small', { memory: 30 }),
      waiting('tiny', { memory: 10 }),
    ];
    const ledger = machine(9, 100);
    ledger.reserve('r', undefined, { task_slots: 1, memory_bytes: 50 }, 0);
    const q = queue(...tasks);
    expect(q.next(ledger, STARVATION)).toBe('small');
    expect(q.next(ledger, STARVATION + 1)).toBeUndefined();
    ledger.release('r');
    expect(startAll(q, ledger, STARVATION + 1, tasks)).toEqual(['big']);
    ledger.release('big');
    expect(startAll(q, ledger, STARVATION + 1, tasks)).toEqual(['small', 'tiny']);
  });

  test('starts what takes nothing that a starving task needs', () => {
    const tasks = [
      waiting('big', { memory: 80 }),
      waiting('later', { memory: 1, accepted_at_ms: 5000 }),
      waiting('other', { accepted_at_ms: 5000, priority: 3 }),
    ];
    const ledger = machine(3, 100);
    ledger.reserve('r', undefined, { task_slots: 1, memory_bytes: 50 }, 0);
    const q = queue(...tasks);
    expect(startAll(q, ledger, 5000, tasks)).toEqual(['other']);
  });

  test('puts starving tasks first, the oldest first, whatever their priority', () => {
    const tasks = [
      waiting('old'),
      waiting('older-high', { priority: 9 }),
      waiting('new', { priority: 99, accepted_at_ms: 2000 }),
    ];
    expect(startAll(queue(...tasks), machine(9), 2000, tasks)).toEqual(['old', 'older-high', 'new']);
  });

  test('does not let a tenant at its quota delay another, starving or not', () => {
    const quotas = { acme: { task_slots: 1, memory_bytes: 50 } };
    const tasks = [
      waiting('acme-1', { tenant: 'acme', memory: 40 }),
      waiting('acme-2', { tenant: 'acme', priority: 9 }),
      waiting('other', { memory: 100, accepted_at_ms: 4000 }),
    ];
    for (const now of [0, 5000]) {
      const ledger = machine(2, 120, quotas);
      ledger.reserve('r', 'acme', { task_slots: 1, memory_bytes: 20 }, 0);
      expect(startAll(queue(...tasks), ledger, now, tasks)).toEqual(['other']);
    }
  });

  test('holds a tenant’s own quota for its starving task', () => {
    const quotas = { acme: { task_slots: 5, memory_bytes: 50 } };
    const tasks = [
      waiting('big', { tenant: 'acme', memory: 40 }),
      waiting('small', { tenant: 'acme', memory: 20, accepted_at_ms: 5000 }),
      waiting('free', { tenant: 'acme', accepted_at_ms: 5000 }),
    ];
    const ledger = machine(9, undefined, quotas);
    ledger.reserve('r', 'acme', { task_slots: 1, memory_bytes: 20 }, 0);
    expect(startAll(queue(...tasks), ledger, 5000, tasks)).toEqual(['free']);
  });

  test('holds nothing for what can never fit', () => {
    const tasks = [waiting('giant', { memory: 1000 }), waiting('a', { memory: 90, accepted_at_ms: 5000 })];
    expect(startAll(queue(...tasks), machine(2, 100), 5000, tasks)).toEqual(['a']);
  });

  test('stays in order through removals in the middle and late arrivals', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.boolean()), { maxLength: 300 }),
        (steps) => {
          const q = queue();
          const model = new Map<number, WaitingTask>();
          const ledger = machine(100);
          for (const [n, add] of steps) {
            if (add && !model.has(n)) {
              const task = waiting(`t${n}`, { submit_seq: n });
              model.set(n, task);
              q.add(task);
            } else if (!add) expect(q.remove(`t${n}`)).toBe(model.delete(n));
            expect(q.size).toBe(model.size);
            expect(q.next(ledger, 0)).toBe(model.get(Math.min(...model.keys()))?.task_id);
          }
          const order = [...model.values()].sort((a, b) => a.submit_seq - b.submit_seq);
          expect(startAll(q, ledger, 0, order)).toEqual(order.map((task) => task.task_id));
        },
      ),
    );
  });
});

describe('whatever comes and ends', () => {
  const CAPACITY: Resources = { task_slots: 3, memory_bytes: 10, pids: 6 };
  const QUOTAS = { a: { task_slots: 2, memory_bytes: 8 }, b: { task_slots: 1 } };
  const arrival = fc.record({
    tenant: fc.constantFrom(undefined, 'a', 'b'),
    priority: fc.integer({ min: 0, max: 2 }),
    memory_bytes: fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined }),
    pids: fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }),
    wait: fc.integer({ min: 0, max: 400 }),
    endings: fc.array(fc.nat({ max: 5 }), { maxLength: 2 }),
  });

  test('the guard holds, order holds among equals, and every task starts in the end', () => {
    fc.assert(
      fc.property(fc.array(arrival, { minLength: 1, maxLength: 40 }), (arrivals) => {
        const ledger = new Ledger({ capacity: CAPACITY, quotas: new Map(Object.entries(QUOTAS)) });
        const q = queue();
        const left = new Map<string, WaitingTask>();
        let now = 0;
        const free = (key: keyof Resources) => ledger.available()[key] ?? Infinity;
        const pump = () => {
          for (let id = q.next(ledger, now); id !== undefined; id = q.next(ledger, now)) {
            const task = left.get(id)!;
            const need = (t: WaitingTask, key: keyof Resources) => t.reservation[key] ?? 0;
            expect(ledger.refusal(task.reservation, task.tenant)).toBeUndefined();
            for (const other of left.values()) {
              const starves = now - other.accepted_at_ms > STARVATION;
              const taskStarves = now - task.accepted_at_ms > STARVATION;
              if (other === task || (taskStarves && task.submit_seq < other.submit_seq)) continue;
              const same =
                other.tenant === task.tenant && RESOURCE_KEYS.every((k) => need(other, k) === need(task, k));
              if (same && starves === taskStarves) {
                const earlier =
                  starves || other.priority === task.priority
                    ? other.submit_seq < task.submit_seq
                    : other.priority > task.priority;
                expect(earlier, `${id} before ${other.task_id}`).toBe(false);
              }
              // Of what a starving task needs, enough is left after another one has started.
              if (starves && ledger.fitsQuota(other.reservation, other.tenant))
                for (const key of RESOURCE_KEYS)
                  if (need(task, key) > 0 && need(other, key) > 0)
                    expect(free(key) - need(task, key)).toBeGreaterThanOrEqual(need(other, key));
            }
            left.delete(id);
            q.remove(id);
            ledger.reserve(id, task.tenant, task.reservation, now);
          }
        };
        const end = (n: number) => {
          const running = ledger.entries();
          const ended = running[n % Math.max(1, running.length)];
          if (ended !== undefined) ledger.release(ended.task_id);
          pump();
        };
        arrivals.forEach(({ tenant, priority, memory_bytes, pids, wait, endings }, i) => {
          const reservation = { task_slots: 1, memory_bytes, pids };
          const task = waiting(`t${i}`, { tenant, priority, accepted_at_ms: now, reservation });
          left.set(task.task_id, task);
          q.add(task);
          pump();
          endings.forEach(end);
          now += wait;
        });
        for (let guard = 0; left.size > 0 && guard <= 2 * arrivals.length; guard++) end(0);
        expect([...left.keys()]).toEqual([]);
      }),
    );
  });

  test('ten thousand of a tenant at its quota cost nothing', () => {
    const ledger = machine(100, undefined, { a: { task_slots: 1 } });
    const tasks = Array.from({ length: 10_000 }, (_, i) => waiting(`a${i}`, { tenant: 'a' }));
    const q = queue(...tasks);
    let looks = 0;
    const counting = new Proxy(ledger, {
      get(target, name) {
        looks++;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
      },
    });
    for (const now of [0, 5000]) {
      expect(q.next(counting, now)).toBe('a0');
      ledger.reserve('r', 'a', { task_slots: 1 }, 0);
      expect(q.next(counting, now)).toBeUndefined();
      ledger.release('r');
    }
    expect(looks).toBeLessThan(50);
  });
});
