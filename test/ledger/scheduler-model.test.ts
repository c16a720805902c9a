import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Budget } from '../../src/ledger/budget.js';
import type { WaitingTask } from '../../src/ledger/flow.js';
import { Ledger } from '../../src/ledger/ledger.js';
import { NO_RULE, type QueueRule } from '../../src/ledger/queue-limits.js';
import { WaitingQueue } from '../../src/ledger/scheduler.js';
import { amountOf, type Resources } from '../../src/task/resources.js';

const STARVATION = 100;
const CAPACITY: Resources = { task_slots: 4, memory_bytes: 12, pids: 7, resources: { gpu: 3 } };
const KEYS = ['task_slots', 'memory_bytes', 'pids', 'resources.gpu'] as const;
const QUOTAS = new Map<string, Resources>([
  ['a', { task_slots: 2, memory_bytes: 8 }],
  ['b', { task_slots: 1 }],
  ['c', { task_slots: 3, resources: { gpu: 1 } }],
]);

/** Amounts that are bounded and counted, said plainly. */
interface Bound {
  limit: Partial<Resources>;
  counts: (task: WaitingTask) => boolean;
}

/** A daemon's waiting and running tasks, and the rules said plainly: over all tasks anew each time. */
class Model {
  readonly waiting = new Map<string, WaitingTask>();
  readonly running = new Map<string, WaitingTask>();
  readonly rules = new Map<string, QueueRule>();
  /** The flows of waiting tasks, with the task that each began to wait with; and tenants at each priority of queues. */
  readonly since = new Map<string, number>();
  /** Who was given something as the how-manieth. */
  readonly served = new Map<string, number>();
  #starts = 0;

  add(task: WaitingTask): void {
    this.waiting.set(task.task_id, task);
    this.#note();
  }

  remove(task: WaitingTask): boolean {
    const was = this.waiting.delete(task.task_id);
    this.#note();
    return was;
  }

  setRule(queue: string, rule: QueueRule): void {
    const isMoved = this.rule(queue).priority !== rule.priority;
    this.rules.set(queue, rule);
    for (const key of isMoved ? this.since.keys() : [])
      if ((JSON.parse(key) as string[])[2] === queue) this.since.delete(key);
    this.#note();
  }

  start(task: WaitingTask): void {
    // As the queue is told: it waits no more, then it has its share.
    this.remove(task);
    this.running.set(task.task_id, task);
    this.#starts++;
    for (const key of [keyOf(task.tenant), keyOf(task.tenant, task.queue)])
      this.served.set(key, this.#starts);
    this.#note();
  }

  end(task: WaitingTask): void {
    this.running.delete(task.task_id);
    this.#note();
  }

  rule(queue: string): QueueRule {
    return this.rules.get(queue) ?? NO_RULE;
  }

  bounds(task: WaitingTask): Bound[] {
    const { max_running, paused, lanes } = this.rule(task.queue);
    const slots = paused ? 0 : max_running;
    const ofLane = task.lane === undefined ? undefined : lanes.get(task.lane)?.max_running;
    return [
      { limit: CAPACITY, counts: () => true },
      { limit: QUOTAS.get(task.tenant ?? '') ?? {}, counts: (other) => other.tenant === task.tenant },
      {
        limit: slots === undefined ? {} : { task_slots: slots },
        counts: (other) => other.queue === task.queue,
      },
      {
        limit: ofLane === undefined ? {} : { task_slots: ofLane },
        counts: (other) => other.queue === task.queue && other.lane === task.lane,
      },
      {
        limit: task.concurrency === undefined ? {} : { task_slots: task.concurrency.limit },
        counts: (other) =>
          other.tenant === task.tenant &&
          other.concurrency !== undefined &&
          other.concurrency.key === task.concurrency?.key,
      },
    ];
  }

  /** Whether it fits beside what runs and what is held for others. */
  fits(task: WaitingTask, [own, machine]: [Budget[], Budget[]]): [boolean, boolean] {
    const fit = ({ limit, counts }: Bound, held: Budget[]) =>
      KEYS.every((key) => {
        const asked = amountOf(task.reservation, key) ?? 0;
        const used = [...this.running.values()]
          .filter(counts)
          .map((other) => amountOf(other.reservation, key) ?? 0);
        const set = held.map((each) => amountOf(each.used(), key) ?? 0);
        const left =
          (amountOf(limit, key) ?? Infinity) - [...used, ...set].reduce((sum, each) => sum + each, 0);
        return asked === 0 || asked <= left;
      });
    const [whole, ...others] = this.bounds(task);
    return [others.every((bound, i) => fit(bound, [own[i]!])), fit(whole!, machine)];
  }

  chosen(now: number): string | undefined {
    const slots = { task_slots: 1 };
    const machine = new Budget({});
    const held = new Map<string, Budget>();
    const ownOf = ({ tenant, queue, lane, concurrency }: WaitingTask) =>
      [
        tenant === undefined ? undefined : `t ${tenant}`,
        `q ${queue}`,
        lane === undefined ? undefined : `l ${queue} ${lane}`,
        concurrency && `c ${JSON.stringify([tenant ?? null, concurrency])}`,
      ].map((key) => {
        const budget = (key === undefined ? undefined : held.get(key)) ?? new Budget({});
        if (key !== undefined) held.set(key, budget);
        return budget;
      });
    const hasSlot = () =>
      this.running.size + machine.used().task_slots + slots.task_slots <= CAPACITY.task_slots;
    if (!hasSlot()) return undefined;
    const starves = (task: WaitingTask) => now - task.accepted_at_ms > STARVATION;
    const alone = (task: WaitingTask) =>
      this.bounds(task).every(({ limit }) =>
        KEYS.every((key) => (amountOf(task.reservation, key) ?? 0) <= (amountOf(limit, key) ?? Infinity)),
      );
    const kind = (t: WaitingTask) => JSON.stringify([t.lane, t.priority, t.reservation, t.concurrency]);
    for (const flow of this.flows(starves)) {
      const passed = new Set<string>();
      const byAge = [...flow].sort((x, y) => x.submit_seq - y.submit_seq);
      // The task submitted first is taken to have waited longest.
      const young = byAge.findIndex((task) => !starves(task));
      for (const task of byAge.slice(0, young < 0 ? byAge.length : young)) {
        if (passed.has(kind(task))) continue;
        const [fitsOwn, fitsMachine] = this.fits(task, [ownOf(task), [machine]]);
        if (fitsOwn && fitsMachine) return task.task_id;
        // Equal tasks behind it are no better off; they need room of their own only if it is the machine that has none.
        if (!fitsOwn || !alone(task)) passed.add(kind(task));
        if (!alone(task)) continue;
        for (const own of ownOf(task)) own.add(task.reservation);
        if (fitsOwn) machine.add(task.reservation);
        if (!hasSlot()) return undefined;
      }
      const first = byAge
        .sort((x, y) => y.priority - x.priority)
        .find((task) => !starves(task) && this.fits(task, [ownOf(task), [machine]]).every(Boolean));
      if (first !== undefined) return first.task_id;
    }
    return undefined;
  }

  /** Waiting tasks by tenant and queue, in the order in which those have their turns. */
  flows(starves: (task: WaitingTask) => boolean): WaitingTask[][] {
    const flows = new Map<string, WaitingTask[]>();
    for (const task of this.waiting.values()) {
      const key = keyOf(task.tenant, task.queue);
      flows.set(key, [...(flows.get(key) ?? []), task]);
    }
    const top = Math.max(...[...this.waiting.values()].map(({ queue }) => this.rule(queue).priority));
    return [...flows.values()]
      .map((tasks) => {
        const [{ tenant, queue }] = tasks as [WaitingTask];
        const oldest = tasks.reduce((a, b) => (a.submit_seq < b.submit_seq ? a : b));
        const own = this.rule(queue).priority;
        const rank = [
          -(starves(oldest) ? top : own),
          this.share((other) => other.tenant === tenant),
          this.served.get(keyOf(tenant)) ?? 0,
          this.since.get(JSON.stringify(['tenant', tenant ?? null, own])) ?? 0,
          this.share((other) => other.tenant === tenant && other.queue === queue),
          this.served.get(keyOf(tenant, queue)) ?? 0,
          this.since.get(JSON.stringify(['flow', tenant ?? null, queue])) ?? 0,
        ];
        return { tasks, tenant, rank };
      })
      .sort((a, b) => {
        const isSame = a.tenant === b.tenant;
        const at = a.rank.findIndex((each, i) => !(isSame && i > 0 && i < 4) && each !== b.rank[i]);
        return at < 0 ? 0 : a.rank[at]! - b.rank[at]!;
      })
      .map(({ tasks }) => tasks);
  }

  share(counts: (task: WaitingTask) => boolean): number {
    const running = [...this.running.values()].filter(counts);
    const parts = KEYS.map((key) => {
      const whole = amountOf(CAPACITY, key) ?? 0;
      const used = running.reduce((sum, { reservation }) => sum + (amountOf(reservation, key) ?? 0), 0);
      return whole > 0 ? used / whole : 0;
    });
    return Math.max(0, ...parts);
  }

  /** Who waits no more and runs nothing is forgotten. */
  #note(): void {
    const tasks = [...this.waiting.values()].sort((a, b) => a.submit_seq - b.submit_seq);
    const there = new Set<string>();
    for (const { tenant, queue, submit_seq } of tasks)
      for (const key of [
        ['tenant', tenant ?? null, this.rule(queue).priority],
        ['flow', tenant ?? null, queue],
      ].map((each) => JSON.stringify(each))) {
        there.add(key);
        if (!this.since.has(key)) this.since.set(key, submit_seq);
      }
    for (const key of this.since.keys()) if (!there.has(key)) this.since.delete(key);
    const known = [...tasks, ...this.running.values()].flatMap(({ tenant, queue }) => [
      keyOf(tenant),
      keyOf(tenant, queue),
    ]);
    for (const key of this.served.keys()) if (!known.includes(key)) this.served.delete(key);
  }
}

function keyOf(tenant: string | undefined, queue?: string): string {
  return JSON.stringify([tenant ?? null, queue ?? null]);
}

const rule = fc.record({
  max_running: fc.constantFrom(undefined, 0, 1, 2),
  paused: fc.constantFrom(false, false, true),
  priority: fc.integer({ min: 0, max: 2 }),
  lanes: fc.constantFrom(new Map(), new Map([['l', { max_running: 1 }]])),
});

const step = fc.record({
  tenant: fc.constantFrom(undefined, 'a', 'b', 'c'),
  queue: fc.constantFrom('q', 'q', 'r', 's'),
  lane: fc.constantFrom(undefined, 'l', 'm'),
  priority: fc.integer({ min: 0, max: 2 }),
  concurrency: fc.constantFrom(
    ...[undefined, undefined, { key: 'k', limit: 1 }, { key: 'k', limit: 2 }, { key: 'l', limit: 1 }],
  ),
  memory_bytes: fc.option(fc.integer({ min: 1, max: 13 }), { nil: undefined }),
  pids: fc.option(fc.integer({ min: 1, max: 7 }), { nil: undefined }),
  gpu: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
  wait: fc.integer({ min: 0, max: 60 }),
  then: fc.constantFrom('nothing', 'end', 'end', 'end', 'kill', 'put back', 'rule'),
  which: fc.nat(),
  rule,
});

test('each decision is the one that the rules say, whatever came, started, ended, was killed or was ruled before', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
      const ledger = new Ledger({ capacity: CAPACITY, quotas: QUOTAS });
      const queue = new WaitingQueue({ ledger, starvationMs: STARVATION });
      const model = new Model();
      let now = 0;
      const startAll = () => {
        for (;;) {
          const id = queue.next(now);
          expect(id).toBe(model.chosen(now));
          const task = id === undefined ? undefined : model.waiting.get(id);
          if (task === undefined) return;
          queue.remove(task.task_id);
          model.start(task);
          ledger.reserve(task.task_id, task, now);
        }
      };
      const release = (task: WaitingTask | undefined) => {
        if (task === undefined) return;
        model.end(task);
        ledger.release(task.task_id);
      };
      const pick = (tasks: Map<string, WaitingTask>, n: number) =>
        [...tasks.values()][n % Math.max(1, tasks.size)];
      steps.forEach(({ memory_bytes, pids, gpu, wait, then, which, rule: said, ...place }, i) => {
        const task: WaitingTask = {
          ...{ task_id: `t${i}`, ...place, submit_seq: i + 1, accepted_at_ms: now },
          reservation: {
            task_slots: 1,
            memory_bytes,
            pids,
            ...(gpu === undefined ? {} : { resources: { gpu } }),
          },
        };
        const startsAtOnce = queue.startsAtOnce(task, now);
        queue.add(task);
        model.add(task);
        expect(startsAtOnce).toBe(model.chosen(now) === task.task_id);
        startAll();
        now += wait;
        if (then === 'end') release(pick(model.running, which));
        if (then === 'kill') {
          const killed = pick(model.waiting, which);
          if (killed !== undefined) expect(queue.remove(killed.task_id)).toBe(model.remove(killed));
        }
        if (then === 'rule') {
          queue.setRule(task.queue, said);
          model.setRule(task.queue, said);
        }
        // A launch that could not be written down goes back to its place.
        if (then === 'put back') {
          const back = pick(model.running, which);
          release(back);
          if (back !== undefined) {
            queue.add(back);
            model.add(back);
          }
        }
        startAll();
      });
    }),
    { numRuns: 3000 },
  );
});
