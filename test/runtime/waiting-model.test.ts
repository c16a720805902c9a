import fc from 'fast-check';
import { expect, test } from 'vitest';
import { deleteTask } from '../../src/runtime/lifecycle/delete.js';
import { putQueueRule } from '../../src/runtime/lifecycle/queue-rule.js';
import { CONDITIONS, type Condition } from '../../src/task/dependencies.js';
import { isTerminal } from '../../src/task/states.js';
import { waitFor } from '../harness/wait.js';
import { Subject } from './subject.js';
import { type Asked, ENDED, type Fate, Reference, WAITING } from './waiting-reference.js';

const SOON_MS = 15;
const LATE_MS = 3_600_000;
const LATE = '2100-01-01T00:00:00Z';
const BACKOFF_MS = { 'at once': 0, soon: SOON_MS, late: LATE_MS };

const WHATS = [
  ...(['submit', 'submit', 'submit', 'submit', 'submit', 'finish', 'finish', 'finish', 'kill'] as const),
  ...(['edit', 'edit', 'hold', 'release', 'release', 'postpone', 'hasten', 'rerun', 'rerun'] as const),
  ...(['restart', 'delete', 'pause', 'resume'] as const),
];

/** What one step of the model does. */
interface Move extends Omit<Asked, 'after'> {
  what: (typeof WHATS)[number];
  which: number;
  after: { to: number; when: Condition['when'] }[];
  inHurry: boolean;
}

const seldom = fc.integer({ min: 0, max: 3 }).map((n) => n === 0);
const anyMove: fc.Arbitrary<Move> = fc.record({
  what: fc.constantFrom(...WHATS),
  which: fc.nat({ max: 30 }),
  after: fc.array(fc.record({ to: fc.nat({ max: 30 }), when: fc.constantFrom(...CONDITIONS) }), {
    maxLength: 3,
  }),
  works: fc.boolean(),
  keyed: fc.boolean(),
  queued: fc.boolean(),
  retried: fc.constantFrom('no', 'no', 'at once', 'soon', 'late'),
  held: seldom,
  starts: fc.constantFrom('whenever', 'whenever', 'whenever', 'soon', 'late'),
  inHurry: fc.boolean(),
});

/** One that succeeds once somebody lets it. */
const PLAIN: Omit<Move, 'what' | 'after'> = {
  ...{ which: 0, works: true, keyed: false, queued: false, held: false, inHurry: false },
  ...{ retried: 'no', starts: 'whenever' },
};

/** How a task looks from outside. */
const LOOKS: Record<Fate, string> = {
  ...{ blocked: 'accepted', kept: 'accepted', ready: 'accepted', running: 'running' },
  ...{ success: 'success', failed: 'failed', cancelled: 'cancelled' },
};

/** A runtime beside its reference. */
class Pair {
  readonly model = new Reference();

  constructor(readonly s: Subject) {}

  async move(n: number, { what, which, after: wanted, inHurry: _, ...asked }: Move): Promise<void> {
    const { s, model } = this;
    const known = [...model.tasks.keys()];
    const pick = (ids: string[], at = which) => ids[at % Math.max(1, ids.length)];
    const conditions = wanted.flatMap(({ to, when }) => {
      const task_id = pick(known, to);
      return task_id === undefined ? [] : [{ task_id, when }];
    });
    const after = [...new Map(conditions.map((each) => [each.task_id, each])).values()];
    if (what === 'submit') return this.submit(`t${n}`, { ...asked, after });
    if (what === 'restart') return s.restart();
    if (what === 'pause' || what === 'resume') {
      await putQueueRule(s.core, 'q', { paused: what === 'pause' });
      model.isPaused = what === 'pause';
      return undefined;
    }
    const id = pick(model.ids(...OF[what]));
    return id === undefined ? undefined : this.change(what, id, { n, after });
  }

  /** Does something with a task of which that can be done. */
  async change(what: keyof typeof OF, id: string, { n, after }: { n: number; after: Condition[] }) {
    const { s, model } = this;
    const task = model.tasks.get(id)!;
    const edited = async (policy: object, change: Partial<Asked>) => {
      await s.edit(id, { policy });
      Object.assign(task, change);
    };
    if (what === 'delete') {
      await deleteTask(s.core, id, undefined);
      model.deleted.add(id);
    } else if (what === 'rerun') await this.rerun(id, `t${n}`);
    else if (what === 'hold') await edited({ hold: true }, { held: true });
    else if (what === 'release') await edited({ hold: false }, { held: false });
    else if (what === 'postpone') await edited({ start_at: LATE }, { starts: 'late' });
    else if (what === 'hasten') await edited({ start_at: null }, { starts: 'whenever' });
    else if (what === 'edit') {
      if (model.isCycle(id, after))
        await expect(s.edit(id, { policy: { after } })).rejects.toMatchObject({ code: 'invalid_input' });
      else
        await edited({ after }, { after }).catch((error: unknown) => {
          // After what it starts is said of its first attempt: this one waits, in a queue that is paused, for its second.
          expect(error).toMatchObject({ code: 'conflict', details: { attempts: 1 } });
        });
    } else {
      await (what === 'finish' ? s.finish(id) : s.kill(id));
      task.fate = what === 'finish' ? 'success' : 'cancelled';
      // The end itself is committed before what follows from it.
      await waitFor(() => isTerminal(s.status(id)!), { what: `the end of ${id}` });
    }
  }

  async submit(id: string, { works, keyed, retried, ...asked }: Asked): Promise<void> {
    const told: Asked = { ...asked, keyed, works: works || keyed, retried: keyed ? 'no' : retried };
    const { after, queued, held, starts } = told;
    const policy = {
      after,
      hold: held || undefined,
      start_at: { whenever: undefined, soon: new Date(Date.now() + SOON_MS).toISOString(), late: LATE }[
        starts
      ],
      concurrency: keyed ? { key: 'k' } : undefined,
      retry:
        told.retried === 'no'
          ? undefined
          : { max_attempts: 2, backoff_ms: BACKOFF_MS[told.retried], max_backoff_ms: LATE_MS },
    };
    const control_context = { group: 'g', ...(queued ? { queue: 'q' } : {}) };
    await this.s.send(id, [], { policy, control_context }, ...doneBy(told));
    this.model.add(id, told);
  }

  /** Once, however often it is asked. */
  async rerun(id: string, newId: string): Promise<void> {
    const { s, model } = this;
    const task = model.tasks.get(id)!;
    const after = model.afterAgain(id);
    if (task.again !== undefined)
      expect(await s.rerun(id, newId)).toMatchObject({ task_id: task.again, created: false });
    else if (after === undefined)
      await expect(s.rerun(id, newId)).rejects.toMatchObject({ code: 'conflict' });
    else {
      expect(await s.rerun(id, newId, ...doneBy(task))).toMatchObject({ task_id: newId, created: true });
      const { works, keyed, queued, retried, held, starts } = task;
      model.add(newId, { after, works, keyed, queued, retried, held, starts });
      task.again = newId;
    }
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
        .map(([id, { fate, isBackedOff }]) => [
          id,
          isBackedOff && LOOKS[fate] === 'accepted' ? 'accepted, after an attempt' : LOOKS[fate],
        ]),
    );
    const found = () => Object.fromEntries(Object.keys(expected).map((id) => [id, this.found(id)]));
    await waitFor(() => JSON.stringify(found()) === JSON.stringify(expected), { timeoutMs: 20_000 }).catch(
      () => {
        expect(found()).toEqual(expected);
      },
    );
  }

  /** Its status, and how far it is where its first attempt is not its last. */
  found(id: string): string | undefined {
    const task = this.s.core.store.tasks.get(id);
    if (task === undefined || this.model.tasks.get(id)!.retried === 'no') return task?.status;
    if (task.status === 'running' && task.past_attempts === 0) return 'first attempt';
    return task.status === 'accepted' && task.past_attempts > 0 ? 'accepted, after an attempt' : task.status;
  }

  /** What is kept of them besides, once all has followed that has to. */
  async tidy(): Promise<void> {
    const isTidy = () => {
      this.expectTidy();
      return true;
    };
    await waitFor(isTidy, { what: 'all that follows' });
  }

  private expectTidy(): void {
    const { s, model } = this;
    const notYet = model.ids('blocked', 'kept');
    const { schedule, store } = s.core;
    expect(schedule.notYet.size).toBe(notYet.length);
    for (const id of notYet)
      expect(schedule.notYet.reasonOf(id), id).toMatchObject({ reason: model.reasonOf(id) });
    expect(new Set(store.dependencies.all().map(({ dependant }) => dependant))).toEqual(
      new Set(model.ids('blocked')),
    );
    expect(schedule.queued).toBe(model.ids('ready').length);
    const isAgain = (id: string) => model.tasks.get(id)!.again !== undefined;
    const ended = (fate: Fate) => model.ids(fate).filter((id) => !isAgain(id)).length;
    const counts = {
      live: model.ids(...WAITING, 'running').length,
      ...{ success: ended('success'), failed: ended('failed'), cancelled: ended('cancelled') },
      retried: model.ids(...ENDED).filter(isAgain).length,
    };
    const row = store.groups.of({ tenant: undefined, group: 'g' });
    if (row === undefined) expect(Object.values(counts)).toEqual([0, 0, 0, 0, 0]);
    else expect(row).toMatchObject(counts);
  }
}

/** What each can be done with. */
const OF = {
  finish: ['running'],
  kill: [...WAITING, 'running'],
  ...{ edit: WAITING, hold: WAITING, release: WAITING, postpone: WAITING, hasten: WAITING },
  ...{ delete: ENDED, rerun: ENDED },
} as const satisfies Record<string, readonly Fate[]>;

/** What nobody would come to soon by chance: a task is run again after the one that has come in the place of another. */
const AGAIN_AFTER_AGAIN = (
  [
    { what: 'submit' },
    { what: 'submit', after: [{ to: 0, when: 'success' }] },
    { what: 'kill' },
    { what: 'rerun' },
    { what: 'rerun', which: 1 },
    { what: 'rerun' },
    { what: 'finish' },
  ] as const
).map((move): Move => ({ ...PLAIN, ...move, after: 'after' in move ? [...move.after] : [] }));

function doneBy({ works, retried }: Asked): ('wait' | 'nothing')[] {
  const last = works ? ('wait' as const) : ('nothing' as const);
  return retried === 'no' ? [last] : ['nothing', last];
}

test(
  'whatever is submitted, held, put off, changed, paused, ended, run again, deleted and restarted, each task gets the fate that follows',
  { timeout: 300_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyMove, { minLength: 3, maxLength: 30 }), async (moves) => {
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
      { numRuns: 60, endOnFailure: true, examples: [[AGAIN_AFTER_AGAIN]] },
    );
  },
);
