import fc from 'fast-check';
import { expect, test } from 'vitest';
import { deleteTask } from '../../src/runtime/lifecycle/delete.js';
import { putQueueRule } from '../../src/runtime/lifecycle/queue-rule.js';
import { CONDITIONS, type Condition } from '../../src/task/dependencies.js';
import { isTerminal } from '../../src/task/states.js';
import { waitFor } from '../harness/wait.js';
import { Subject } from './subject.js';

/** What one step of the model does. */
interface Move {
  what: 'submit' | 'finish' | 'kill' | 'edit' | 'restart' | 'delete' | 'pause' | 'resume';
  which: number;
  after: { to: number; when: Condition['when'] }[];
  works: boolean;
  /** With a key, of which one runs at a time. */
  keyed: boolean;
  /** In the queue that is paused and resumed. */
  queued: boolean;
  /** Its first attempt fails, and is followed by another. */
  retried: boolean;
  inHurry: boolean;
}

const anyMove: fc.Arbitrary<Move> = fc.record({
  what: fc.constantFrom(
    ...([
      'submit',
      'submit',
      'submit',
      'submit',
      'finish',
      'finish',
      'finish',
      'kill',
      'edit',
      'edit',
    ] as const),
    ...(['restart', 'delete', 'pause', 'resume'] as const),
  ),
  which: fc.nat({ max: 30 }),
  after: fc.array(fc.record({ to: fc.nat({ max: 30 }), when: fc.constantFrom(...CONDITIONS) }), {
    maxLength: 3,
  }),
  works: fc.boolean(),
  keyed: fc.boolean(),
  queued: fc.boolean(),
  retried: fc.boolean(),
  inHurry: fc.boolean(),
});

/** A task waits for others, waits for room, runs, or has ended. */
type Fate = 'blocked' | 'ready' | 'running' | 'success' | 'failed' | 'cancelled';

interface Told {
  after: Condition[];
  works: boolean;
  keyed: boolean;
  queued: boolean;
  retried: boolean;
  fate: Fate;
}

const isLive = (fate: Fate) => fate === 'blocked' || fate === 'ready' || fate === 'running';

/** What must become of each task, said plainly: all anew from what was asked for. */
class Reference {
  readonly tasks = new Map<string, Told>();
  /** Those that are not in the database any more. */
  readonly deleted = new Set<string>();
  isPaused = false;

  ids(...fates: Fate[]): string[] {
    return [...this.tasks]
      .filter(([id, t]) => !this.deleted.has(id) && fates.includes(t.fate))
      .map(([id]) => id);
  }

  /** As far as it follows from what is known. */
  settle(): void {
    for (let changed = true; changed;) {
      changed = false;
      for (const task of this.tasks.values()) {
        const before = task.fate;
        if (task.fate === 'blocked') {
          const states = task.after.map((condition) => this.state(condition));
          if (states.includes('never')) task.fate = 'cancelled';
          else if (!states.includes('open')) task.fate = 'ready';
        }
        if (task.fate === 'ready' && !task.keyed && !(task.queued && this.isPaused))
          task.fate = task.works ? 'running' : 'failed';
        changed ||= task.fate !== before;
      }
    }
  }

  /** Those of which one starts, whichever: none while one runs. */
  contenders(): string[] {
    if (this.ids('running').some((id) => this.tasks.get(id)!.keyed)) return [];
    return this.ids('ready').filter((id) => {
      const { keyed, queued } = this.tasks.get(id)!;
      return keyed && !(queued && this.isPaused);
    });
  }

  state({ task_id, when }: Condition): 'holds' | 'open' | 'never' {
    const { fate } = this.tasks.get(task_id)!;
    if (isLive(fate)) return 'open';
    return when === 'end' || (when === 'success') === (fate === 'success') ? 'holds' : 'never';
  }

  /** True when `from` would wait for itself. */
  isCycle(from: string, after: readonly Condition[], seen = new Set<string>()): boolean {
    return after.some((condition) => {
      if (condition.task_id === from) return true;
      if (seen.has(condition.task_id) || this.state(condition) !== 'open') return false;
      seen.add(condition.task_id);
      return this.isCycle(from, this.tasks.get(condition.task_id)!.after, seen);
    });
  }
}

/** A runtime beside its reference. */
class Pair {
  readonly model = new Reference();

  constructor(readonly s: Subject) {}

  async move(n: number, { what, which, after: wanted, works, keyed, queued, retried }: Move): Promise<void> {
    const { s, model } = this;
    const known = [...model.tasks.keys()];
    const pick = (ids: string[], at = which) => ids[at % Math.max(1, ids.length)];
    const conditions = wanted.flatMap(({ to, when }) => {
      const task_id = pick(known, to);
      return task_id === undefined ? [] : [{ task_id, when }];
    });
    const after = [...new Map(conditions.map((each) => [each.task_id, each])).values()];
    if (what === 'submit')
      return this.submit(`t${n}`, {
        after,
        works: works || keyed,
        keyed,
        queued,
        retried: retried && !keyed,
      });
    if (what === 'restart') return s.restart();
    if (what === 'pause' || what === 'resume') {
      await putQueueRule(s.core, 'q', { paused: what === 'pause' });
      model.isPaused = what === 'pause';
      return undefined;
    }
    if (what === 'delete') {
      const id = pick(model.ids('success', 'failed', 'cancelled'));
      if (id === undefined) return undefined;
      await deleteTask(s.core, id, undefined);
      model.deleted.add(id);
      return undefined;
    }
    const id = pick(
      model.ids(
        ...(what === 'finish' ? [] : (['blocked', 'ready'] as const)),
        ...(what === 'edit' ? [] : (['running'] as const)),
      ),
    );
    if (id === undefined) return undefined;
    const task = model.tasks.get(id)!;
    if (what !== 'edit') {
      await (what === 'finish' ? s.finish(id) : s.kill(id));
      task.fate = what === 'finish' ? 'success' : 'cancelled';
      // The end itself is committed before what follows from it.
      await waitFor(() => isTerminal(s.status(id)!), { what: `the end of ${id}` });
    } else if (model.isCycle(id, after))
      await expect(s.edit(id, { policy: { after } })).rejects.toMatchObject({ code: 'invalid_input' });
    else {
      await s.edit(id, { policy: { after } });
      Object.assign(task, { after, fate: 'blocked' });
    }
    return undefined;
  }

  async submit(id: string, told: Omit<Told, 'fate'>): Promise<void> {
    const { after, works, keyed, queued, retried } = told;
    const policy = {
      after,
      concurrency: keyed ? { key: 'k' } : undefined,
      retry: retried ? { max_attempts: 2, backoff_ms: 0 } : undefined,
    };
    const control_context = { group: 'g', ...(queued ? { queue: 'q' } : {}) };
    const last = works ? ('wait' as const) : ('nothing' as const);
    const does = retried ? (['nothing', last] as const) : [last];
    await this.s.send(id, [], { policy, control_context }, ...does);
    this.model.tasks.set(id, { ...told, fate: 'blocked' });
  }

  /** Waits until each task is as it must be. */
  async sound(): Promise<void> {
    const { s, model } = this;
    for (;;) {
      model.settle();
      const contenders = model.contenders();
      if (contenders.length === 0) break;
      const started = () => contenders.filter((id) => s.status(id) === 'running');
      await waitFor(() => started().length > 0, { what: `the start of one of ${contenders.join()}` });
      expect(started()).toHaveLength(1);
      model.tasks.get(started()[0]!)!.fate = 'running';
    }
    const expected = Object.fromEntries(
      [...model.tasks]
        .filter(([id]) => !model.deleted.has(id))
        .map(([id, { fate }]) => [id, fate === 'blocked' || fate === 'ready' ? 'accepted' : fate]),
    );
    const found = () => Object.fromEntries(Object.keys(expected).map((id) => [id, this.found(id)]));
    await waitFor(() => JSON.stringify(found()) === JSON.stringify(expected), { timeoutMs: 5000 }).catch(
      () => {
        expect(found()).toEqual(expected);
      },
    );
  }

  /** Its status, or that the attempt that it is at is not its last. */
  found(id: string): string | undefined {
    const task = this.s.core.store.task(id);
    const isFirst = this.model.tasks.get(id)!.retried && task?.past_attempts === 0;
    return isFirst && task.status === 'running' ? 'first attempt' : task?.status;
  }

  /** What is kept of them besides. */
  async tidy(): Promise<void> {
    const { s, model } = this;
    const blocked = new Set(model.ids('blocked'));
    const { notYet } = s.core.schedule;
    await waitFor(() => notYet.size === blocked.size);
    for (const id of blocked) expect(notYet.reasonOf(id)).toMatchObject({ reason: 'dependency' });
    expect(new Set(s.core.store.dependencies.all().map(({ dependant }) => dependant))).toEqual(blocked);
    expect(s.core.schedule.queued).toBe(model.ids('ready').length);
    const count = (...fates: Fate[]) => model.ids(...fates).length;
    const counts = {
      live: count('blocked', 'ready', 'running'),
      ...{ success: count('success'), failed: count('failed'), cancelled: count('cancelled') },
    };
    const row = s.core.store.groups.of({ tenant: undefined, group: 'g' });
    if (row === undefined) expect(Object.values(counts)).toEqual([0, 0, 0, 0]);
    else expect(row).toMatchObject(counts);
  }
}

test(
  'whatever is submitted, changed, paused, ended, deleted and restarted, each task gets the fate that follows',
  { timeout: 300_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyMove, { minLength: 3, maxLength: 25 }), async (moves) => {
        const s = await new Subject(100).start();
        const pair = new Pair(s);
        try {
          for (const [n, move] of moves.entries()) {
            await pair.move(n, move);
            // The next may come in the middle of what follows.
            const { what, inHurry } = move;
            if (inHurry && (what === 'finish' || what === 'kill') && moves[n + 1]?.what === 'restart')
              continue;
            await pair.sound();
          }
          await pair.sound();
          await pair.tidy();
        } finally {
          await s.leave();
          s.world.remove();
        }
      }),
      { numRuns: 60, endOnFailure: true },
    );
  },
);
