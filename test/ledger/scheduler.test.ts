import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Ledger, type Claim } from '../../src/ledger/ledger.js';
import type { WaitingTask } from '../../src/ledger/flow.js';
import { NO_RULE, type QueueRule } from '../../src/ledger/queue-limits.js';
import { WaitingQueue } from '../../src/ledger/scheduler.js';
import { RESOURCE_KEYS, type Resources } from '../../src/task/resources.js';

const STARVATION = 1000;
let seq = 0;

function waiting(task_id: string, more: Partial<WaitingTask> & { memory?: number } = {}): WaitingTask {
  const { memory, ...rest } = more;
  const reservation: Resources = { task_slots: 1, ...(memory === undefined ? {} : { memory_bytes: memory }) };
  return {
    task_id,
    tenant: undefined,
    queue: 'default',
    lane: undefined,
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

function queue(ledger: Ledger, ...tasks: WaitingTask[]): WaitingQueue {
  const q = new WaitingQueue({ ledger, starvationMs: STARVATION });
  for (const task of tasks) q.add(task);
  return q;
}

/** Something of a tenant runs. */
function claim(reservation: Resources, tenant?: string): Claim {
  return { tenant, queue: 'default', lane: undefined, reservation };
}

/** Starts everything that may start now. */
function startAll(q: WaitingQueue, ledger: Ledger, now: number, tasks: WaitingTask[]): string[] {
  const started: string[] = [];
  for (let id = q.next(now); id !== undefined; id = q.next(now)) {
    const task = tasks.find((t) => t.task_id === id)!;
    expect(ledger.fits(task)).toBe(true);
    expect(q.remove(id)).toBe(true);
    ledger.reserve(id, task, now);
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
    const ledger = machine(9);
    const q = queue(ledger, ...[...tasks].reverse());
    const order = ['high', 'high2', 'a', 'b', 'low'];
    expect(q.peek(99).map((t) => t.task_id)).toEqual(order);
    expect(q.peek(2).map((t) => t.task_id)).toEqual(order.slice(0, 2));
    expect(startAll(q, ledger, 0, tasks)).toEqual(order);
    expect([q.size, q.next(0), q.peek(9)]).toEqual([0, undefined, []]);
  });

  test('knows its size, takes a task once, and lets it go once', () => {
    const a = waiting('a');
    const q = queue(machine(1), waiting('b', { priority: 5 }), a, a);
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
    ledger.reserve('r', claim({ task_slots: 1, memory_bytes: 50 }), 0);
    const q = queue(ledger, ...tasks);
    expect(q.next(STARVATION)).toBe('small');
    expect(q.next(STARVATION + 1)).toBeUndefined();
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
    ledger.reserve('r', claim({ task_slots: 1, memory_bytes: 50 }), 0);
    const q = queue(ledger, ...tasks);
    expect(startAll(q, ledger, 5000, tasks)).toEqual(['other']);
  });

  test('puts starving tasks first, the oldest first, whatever their priority', () => {
    const tasks = [
      waiting('old'),
      waiting('older-high', { priority: 9 }),
      waiting('new', { priority: 99, accepted_at_ms: 2000 }),
    ];
    const ledger = machine(9);
    expect(startAll(queue(ledger, ...tasks), ledger, 2000, tasks)).toEqual(['old', 'older-high', 'new']);
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
      ledger.reserve('r', claim({ task_slots: 1, memory_bytes: 20 }, 'acme'), 0);
      expect(startAll(queue(ledger, ...tasks), ledger, now, tasks)).toEqual(['other']);
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
    ledger.reserve('r', claim({ task_slots: 1, memory_bytes: 20 }, 'acme'), 0);
    expect(startAll(queue(ledger, ...tasks), ledger, 5000, tasks)).toEqual(['free']);
  });

  test('holds nothing for what can never fit', () => {
    const tasks = [waiting('giant', { memory: 1000 }), waiting('a', { memory: 90, accepted_at_ms: 5000 })];
    const ledger = machine(2, 100);
    expect(startAll(queue(ledger, ...tasks), ledger, 5000, tasks)).toEqual(['a']);
  });

  test('stays in order through removals in the middle and late arrivals', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.boolean()), { maxLength: 300 }),
        (steps) => {
          const q = queue(machine(1));
          const model = new Map<number, WaitingTask>();
          for (const [n, add] of steps) {
            if (add && !model.has(n)) {
              const task = waiting(`t${n}`, { submit_seq: n });
              model.set(n, task);
              q.add(task);
            } else if (!add) expect(q.remove(`t${n}`)).toBe(model.delete(n));
            const order = [...model.keys()].sort((a, b) => a - b);
            expect(q.size).toBe(order.length);
            expect(q.peek(100).map((t) => t.submit_seq)).toEqual(order);
          }
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
        const q = queue(ledger);
        const left = new Map<string, WaitingTask>();
        let now = 0;
        const pump = () => {
          for (let id = q.next(now); id !== undefined; id = q.next(now)) {
            const task = left.get(id)!;
            const need = (t: WaitingTask, key: keyof Resources) => t.reservation[key] ?? 0;
            expect(ledger.fits(task)).toBe(true);
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
            }
            left.delete(id);
            q.remove(id);
            ledger.reserve(id, task, now);
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
    let looks = 0;
    const counting = new Proxy(ledger, {
      get(target, name) {
        looks++;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
      },
    });
    const q = queue(counting, ...tasks);
    looks = 0;
    for (const now of [0, 5000]) {
      expect(q.next(now)).toBe('a0');
      ledger.reserve('r', claim({ task_slots: 1 }, 'a'), 0);
      expect(q.next(now)).toBeUndefined();
      ledger.release('r');
    }
    expect(looks).toBeLessThan(50);
  });
});

describe('queues', () => {
  const rule = (more: Partial<QueueRule>): QueueRule => ({ ...NO_RULE, ...more });

  test('ten thousand tasks of one tenant do not hold up one task of another, starving or not', () => {
    for (const now of [0, 5000]) {
      const ledger = machine(1);
      const tasks = Array.from({ length: 10_000 }, (_, i) => waiting(`a${i}`, { tenant: 'a' }));
      const q = queue(ledger, ...tasks);
      expect(startAll(q, ledger, now, tasks)).toEqual(['a0']);
      const late = waiting('b', { tenant: 'b', accepted_at_ms: now });
      q.add(late);
      expect(q.peek(3).map(({ task_id }) => task_id)).toEqual(['b', 'a1', 'a2']);
      ledger.release('a0');
      expect(startAll(q, ledger, now, [late, ...tasks])).toEqual(['b']);
    }
  });

  test('two tenants with much to do share evenly, by what is held and not by how many tasks hold it', () => {
    const ledger = machine(9, 60);
    const big = Array.from({ length: 9 }, (_, i) => waiting(`a${i}`, { tenant: 'a', memory: 20 }));
    const small = Array.from({ length: 9 }, (_, i) => waiting(`b${i}`, { tenant: 'b', memory: 5 }));
    const q = queue(ledger, ...big, ...small);
    const first = startAll(q, ledger, 0, [...big, ...small]);
    // a: 1 of 3 thirds of the memory; b: 4 of 9 slots; then a: 2 of 3 thirds.
    expect(first).toEqual(['a0', 'b0', 'b1', 'b2', 'a1', 'b3']);
    expect(ledger.tenantUse().map(({ tenant, reserved }) => [tenant, reserved.memory_bytes])).toEqual([
      ['a', 40],
      ['b', 20],
    ]);
  });

  test('the queues of one tenant share what it has', () => {
    const ledger = machine(1);
    const tasks = [
      ...Array.from({ length: 4 }, (_, i) => waiting(`big${i}`, { queue: 'big' })),
      ...Array.from({ length: 2 }, (_, i) => waiting(`small${i}`, { queue: 'small' })),
    ];
    const q = queue(ledger, ...tasks);
    const foreseen = q.peek(9).map(({ task_id }) => task_id);
    const started: string[] = [];
    while (q.size > 0) {
      const [id] = startAll(q, ledger, 0, tasks) as [string];
      started.push(id);
      ledger.release(id);
    }
    expect(started).toEqual(['big0', 'small0', 'big1', 'small1', 'big2', 'big3']);
    expect(foreseen).toEqual(started);
    expect(
      queue(machine(1), ...tasks)
        .peek(9, 'small')
        .map(({ task_id }) => task_id),
    ).toEqual(['small0', 'small1']);
  });

  test('a queue of a higher priority comes first; a starving task of a lower one has its turn all the same', () => {
    const ledger = machine(1);
    const tasks = [
      waiting('low', { queue: 'low' }),
      waiting('high', { queue: 'high', accepted_at_ms: 900 }),
      waiting('high2', { queue: 'high', accepted_at_ms: 900 }),
    ];
    const q = queue(ledger, ...tasks);
    q.setRule('high', rule({ priority: 1 }));
    expect(q.peek(9).map(({ task_id }) => task_id)).toEqual(['high', 'high2', 'low']);
    expect(q.next(STARVATION)).toBe('high');
    expect(q.next(STARVATION + 1)).toBe('low');
    q.setRule('high', undefined);
    expect(q.next(0)).toBe('low');
  });

  test('a paused queue keeps its tasks, holds nothing, delays nobody, and goes on', () => {
    const ledger = machine(2, 100);
    const tasks = [
      waiting('paused', { queue: 'p', memory: 100 }),
      waiting('other', { accepted_at_ms: 5000, memory: 60 }),
    ];
    const q = queue(ledger, ...tasks);
    q.setRule('p', rule({ paused: true }));
    expect(startAll(q, ledger, 5000, tasks)).toEqual(['other']);
    expect(q.size).toBe(1);
    ledger.release('other');
    expect(q.next(5000)).toBeUndefined();
    q.setRule('p', rule({}));
    expect(q.next(5000)).toBe('paused');
  });

  test('a queue and a lane run no more than they may; other lanes go on', () => {
    const ledger = machine(9);
    const place = (queue: string, lane?: string) => ({ queue, lane });
    const tasks = [
      waiting('a1', place('q', 'a')),
      waiting('a2', place('q', 'a')),
      waiting('b1', place('q', 'b')),
      waiting('b2', place('q', 'b')),
      waiting('other', place('r', 'a')),
    ];
    const q = queue(ledger, ...tasks);
    q.setRule('q', rule({ max_running: 2, lanes: new Map([['a', { max_running: 1 }]]) }));
    expect(startAll(q, ledger, 0, tasks)).toEqual(['a1', 'other', 'b1']);
    ledger.release('b1');
    expect(startAll(q, ledger, 0, tasks)).toEqual(['b2']);
    q.setRule('q', rule({ max_running: 9 }));
    expect(startAll(q, ledger, 0, tasks)).toEqual(['a2']);
    // More run than may now: it is no error, and none starts until enough have ended.
    q.add(waiting('late', place('q')));
    q.setRule('q', rule({ max_running: 2 }));
    ledger.release('a1');
    expect(q.next(0)).toBeUndefined();
    ledger.release('a2');
    expect(q.next(0)).toBe('late');
  });

  test('each waiting task says why it waits, with the numbers', () => {
    const ledger = machine(3, 100, { acme: { task_slots: 1 } });
    const tasks = [
      waiting('runs', { tenant: 'acme', memory: 40 }),
      waiting('quota', { tenant: 'acme' }),
      waiting('big', { memory: 70 }),
      waiting('bigger', { memory: 80, priority: 1 }),
      waiting('laned', { queue: 'q', lane: 'l' }),
      waiting('laned2', { queue: 'q', lane: 'l' }),
      waiting('stopped', { queue: 'p' }),
    ];
    const q = queue(ledger, ...tasks);
    q.setRule('q', rule({ lanes: new Map([['l', { max_running: 1 }]]) }));
    q.setRule('p', rule({ paused: true }));
    expect(startAll(q, ledger, 0, tasks).sort()).toEqual(['laned', 'runs']);
    const memory = { of: 'machine', resource: 'memory_bytes', free: 60, limit: 100 };
    expect(q.delayOf('big')).toEqual({ reason: 'capacity', lack: { ...memory, requested: 70 } });
    expect(q.delayOf('bigger')).toEqual({ reason: 'capacity', lack: { ...memory, requested: 80 } });
    const slot = { resource: 'task_slots', requested: 1, free: 0, limit: 1 };
    expect(q.delayOf('quota')).toEqual({ reason: 'quota', lack: { of: 'tenant', ...slot } });
    expect(q.delayOf('laned2')).toEqual({ reason: 'queue_limit', lack: { of: 'lane', ...slot } });
    expect(q.delayOf('stopped')).toEqual({ reason: 'queue_paused' });
    expect([q.delayOf('runs'), q.delayOf('never')]).toEqual([undefined, undefined]);
    q.setRule('q', rule({ max_running: 1 }));
    expect(q.delayOf('laned2')).toMatchObject({ reason: 'queue_limit', lack: { of: 'queue', ...slot } });
    // Others come first.
    ledger.release('runs');
    expect(q.delayOf('big')).toEqual({ reason: 'capacity', lack: undefined });
  });
});
