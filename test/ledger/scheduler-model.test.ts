import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Budget } from '../../src/ledger/budget.js';
import { Ledger } from '../../src/ledger/ledger.js';
import { WaitingQueue, type WaitingTask } from '../../src/ledger/scheduler.js';
import type { Resources } from '../../src/task/resources.js';

const STARVATION = 100;
const CAPACITY: Resources = { task_slots: 4, memory_bytes: 12, pids: 7 };
const QUOTAS = new Map<string, Resources>([
  ['a', { task_slots: 2, memory_bytes: 8 }],
  ['b', { task_slots: 1 }],
]);

/** The rules said plainly, over all tasks anew each time. */
function chosen(tasks: readonly WaitingTask[], ledger: Ledger, now: number): string | undefined {
  if (ledger.freeSlots() < 1) return undefined;
  const machine = new Budget({});
  const quotas = new Map<string, Budget>();
  const quotaOf = (t: WaitingTask) => {
    const budget = quotas.get(t.tenant ?? '') ?? new Budget({});
    quotas.set(t.tenant ?? '', budget);
    return budget;
  };
  const starves = (t: WaitingTask) => now - t.accepted_at_ms > STARVATION;
  const hasQuota = (t: WaitingTask) => ledger.fitsQuota(t.reservation, t.tenant, quotaOf(t));
  const kind = (t: WaitingTask) => JSON.stringify([t.tenant, t.priority, t.reservation]);
  const passed = new Set<string>();
  const byAge = [...tasks].sort((x, y) => x.submit_seq - y.submit_seq);
  for (const task of byAge.filter(starves)) {
    if (passed.has(kind(task))) continue;
    const possible = ledger.canEverFit(task.reservation, task.tenant) === undefined;
    if (hasQuota(task) && ledger.fitsCapacity(task.reservation, machine)) return task.task_id;
    // Equal tasks behind it are no better off; they need room of their own only if it is the machine that has none.
    if (!hasQuota(task) || !possible) passed.add(kind(task));
    if (!possible) continue;
    if (hasQuota(task)) machine.add(task.reservation);
    quotaOf(task).add(task.reservation);
    if (!ledger.fitsCapacity({ task_slots: 1 }, machine)) return undefined;
  }
  return byAge
    .sort((x, y) => y.priority - x.priority)
    .find((t) => !starves(t) && hasQuota(t) && ledger.fitsCapacity(t.reservation, machine))?.task_id;
}

const step = fc.record({
  tenant: fc.constantFrom(undefined, 'a', 'b'),
  priority: fc.integer({ min: 0, max: 2 }),
  memory_bytes: fc.option(fc.integer({ min: 1, max: 13 }), { nil: undefined }),
  pids: fc.option(fc.integer({ min: 1, max: 7 }), { nil: undefined }),
  wait: fc.integer({ min: 0, max: 60 }),
  then: fc.constantFrom('nothing', 'end', 'end', 'kill', 'put back'),
  which: fc.nat(),
});

test('each decision is the one that the rules say, whatever came, started, ended and was killed before', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
      const ledger = new Ledger({ capacity: CAPACITY, quotas: QUOTAS });
      const queue = new WaitingQueue({ starvationMs: STARVATION });
      const waiting = new Map<string, WaitingTask>();
      const running = new Map<string, WaitingTask>();
      let now = 0;
      const startAll = () => {
        for (;;) {
          const id = queue.next(ledger, now);
          expect(id).toBe(chosen([...waiting.values()], ledger, now));
          const task = id === undefined ? undefined : waiting.get(id);
          if (task === undefined) return;
          queue.remove(task.task_id);
          waiting.delete(task.task_id);
          ledger.reserve(task.task_id, task.tenant, task.reservation, now);
          running.set(task.task_id, task);
        }
      };
      const release = (task: WaitingTask | undefined) => {
        if (task === undefined) return;
        running.delete(task.task_id);
        ledger.release(task.task_id);
      };
      const pick = (tasks: Map<string, WaitingTask>, n: number) =>
        [...tasks.values()][n % Math.max(1, tasks.size)];
      steps.forEach(({ tenant, priority, memory_bytes, pids, wait, then, which }, i) => {
        const task: WaitingTask = {
          ...{ task_id: `t${i}`, tenant, priority, submit_seq: i, accepted_at_ms: now },
          reservation: { task_slots: 1, memory_bytes, pids },
        };
        const startsAtOnce = queue.startsAtOnce(task, ledger, now);
        queue.add(task);
        waiting.set(task.task_id, task);
        startAll();
        expect(startsAtOnce).toBe(running.has(task.task_id));
        now += wait;
        if (then === 'end') release(pick(running, which));
        if (then === 'kill') {
          const killed = pick(waiting, which);
          if (killed !== undefined) expect(queue.remove(killed.task_id)).toBe(waiting.delete(killed.task_id));
        }
        // A launch that could not be written down goes back to its place.
        if (then === 'put back') {
          const back = pick(running, which);
          release(back);
          if (back !== undefined) {
            queue.add(back);
            waiting.set(back.task_id, back);
          }
        }
        startAll();
      });
    }),
    { numRuns: 400 },
  );
});
