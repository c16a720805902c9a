import { mkdirSync } from 'node:fs';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { editTask } from '../../src/runtime/lifecycle/edit.js';
import { killTask } from '../../src/runtime/lifecycle/kill.js';
import { submit } from '../../src/runtime/lifecycle/submit.js';
import { ExecgoError } from '../../src/task/errors.js';
import { FakeWorld } from '../executor/fake-world.js';
import { startRuntime } from '../executor/runtime.js';
import { tempDir } from '../harness/temp-dir.js';
import { waitFor } from '../harness/wait.js';

const COMMAND = { kind: 'command', program: '/bin/true' } as const;

/** A runtime with one slot, whose tasks run until they are killed or {@link FakeWorld.finishAll} is called. */
async function runtime() {
  const dataDir = tempDir();
  for (const dir of ['tasks', 'supervisor', 'trash', 'sessions']) mkdirSync(`${dataDir}/${dir}`);
  const world = new FakeWorld();
  const { core, intake, leave } = await startRuntime(dataDir, 1, (events) => world.open(events));
  const send = (task_id: string, more: object = {}) => {
    world.works.set(task_id, [{ does: 'run' }]);
    return submit(core, intake, { task_id, execution: COMMAND, ...more });
  };
  const edit = (id: string, body: object) => editTask(core, intake, id, body, undefined);
  const kill = async (id: string) => {
    const task = core.live.get(id);
    if (task !== undefined) await killTask(core, task, { grace_ms: 0 });
  };
  const close = async () => {
    await leave();
    world.remove();
  };
  return { core, world, send, edit, kill, close };
}

async function forTest() {
  const made = await runtime();
  onTestFinished(made.close);
  return made;
}

test('a kill that comes while an edit is written has the last word', async () => {
  const { core, send, edit, kill } = await forTest();
  await send('first');
  await send('second');
  const edited = edit('second', { policy: { priority: 5 } });
  await Promise.all([edited, kill('second')]);
  const row = core.store.tasks.get('second');
  expect([row?.status, row?.request.policy.priority]).toEqual(['cancelled', 5]);
  expect(core.schedule.queued).toBe(0);
});

test('two edits from one version: the first is made, the second is told the present one', async () => {
  const { core, send, edit } = await forTest();
  await send('first');
  await send('second');
  const { version } = core.store.tasks.get('second')!;
  const [one, two] = await Promise.allSettled([
    edit('second', { if_version: version, policy: { priority: 1 } }),
    edit('second', { if_version: version, policy: { priority: 2 } }),
  ]);
  expect(one.status).toBe('fulfilled');
  const now = core.store.tasks.get('second')!;
  expect(now.request.policy.priority).toBe(1);
  expect(now.version).toBeGreaterThan(version);
  expect(two).toMatchObject({
    reason: {
      code: 'conflict',
      message: `task second has version ${now.version}, not ${version}: it has been changed since`,
      details: { version: now.version },
    },
  });
});

test('an edit that is refused leaves the task where it is; one that changes nothing writes nothing', async () => {
  const { core, send, edit } = await forTest();
  await send('first');
  await send('second');
  const before = core.store.tasks.get('second');
  const seq = core.store.events.last;
  await expect(edit('second', { policy: { demands: { tags: ['gpu'] } } })).rejects.toMatchObject({
    code: 'unsupported_capability',
  });
  await edit('second', { policy: { priority: 0 }, limits: {}, metadata: {} });
  expect([core.store.tasks.get('second'), core.store.events.last]).toEqual([before, seq]);
  expect(core.schedule.waits('second')).toBe(true);
});

test('a task may come to demand another machine, and no longer to do so', async () => {
  const { core, send, edit } = await forTest();
  await send('first');
  await send('second');
  await edit('second', { policy: { demands: { tags: ['gpu'] } }, limits: { queue_timeout_ms: 600_000 } });
  expect([core.schedule.queued, [...core.schedule.unmatched]]).toEqual([0, ['second']]);
  await edit('second', { policy: { demands: null }, limits: { queue_timeout_ms: null } });
  expect([core.schedule.queued, core.schedule.unmatched.size]).toEqual([1, 0]);
});

test('how long it may wait counts from its submit, and is given anew', async () => {
  const { core, send, edit } = await forTest();
  await send('first');
  await send('second', { limits: { queue_timeout_ms: 600_000 } });
  await edit('second', { limits: { queue_timeout_ms: 1 } });
  await waitFor(() => core.store.tasks.get('second')?.status === 'failed', { what: 'the end' });
  expect(core.store.tasks.get('second')).toMatchObject({ cause: 'queue_timeout' });
});

interface Step {
  what: 'edit' | 'kill' | 'finish' | 'turn';
  which: number;
}

const anyStep: fc.Arbitrary<Step> = fc.record({
  what: fc.constantFrom('edit', 'edit', 'edit', 'kill', 'finish', 'turn'),
  which: fc.nat({ max: 3 }),
});

test('whatever edits, kills and starts come between each other, what was answered holds and what was refused does not', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 1, maxLength: 30 }), async (steps) => {
      const { core, world, send, edit, kill, close } = await runtime();
      try {
        const ids = ['a', 'b', 'c', 'd'];
        for (const id of ids) await send(id);
        /** By task, the edits in the order in which they were answered. */
        const made = new Map<string, { priority: number; refused: boolean }[]>();
        const asked: Promise<void>[] = [];
        for (const [n, { what, which }] of steps.entries()) {
          const id = ids[which]!;
          const done = made.get(id) ?? [];
          made.set(id, done);
          if (what === 'edit') {
            const priority = n + 1;
            const answer = edit(id, { policy: { priority }, metadata: { n: String(priority) } });
            asked.push(
              answer.then(
                () => void done.push({ priority, refused: false }),
                (error: unknown) => {
                  expect(error).toBeInstanceOf(ExecgoError);
                  expect(error).toMatchObject({ code: 'conflict' });
                  done.push({ priority, refused: true });
                },
              ),
            );
          } else if (what === 'kill') asked.push(kill(id));
          else if (what === 'finish') world.finishAll();
          else await new Promise(setImmediate);
        }
        await Promise.all(asked);
        for (const id of ids) {
          const row = core.store.tasks.get(id)!;
          const good = (made.get(id) ?? []).filter(({ refused }) => !refused);
          const last = good.at(-1)?.priority ?? 0;
          expect(row.request.policy.priority, `priority of ${id}`).toBe(last);
          expect(row.request.metadata['n'] ?? '0').toBe(String(last));
          const events = core.store.events.ofTask(id, 0, undefined).map(({ event_type }) => event_type);
          expect(events.filter((type) => type === 'edited')).toHaveLength(good.length);
          // Nothing is changed once it has its share of the machine, or has ended.
          const decided = events.findIndex((type) => ['resource_reserved', 'cancelled'].includes(type));
          if (decided >= 0) expect(events.lastIndexOf('edited')).toBeLessThan(decided);
          const waits = core.live.get(id)?.record.status === 'accepted';
          if (waits) expect(core.schedule.waits(id) || holds(core, id)).toBe(true);
        }
        await Promise.all(ids.map(kill));
        await waitFor(
          () => {
            world.finishAll();
            return core.live.all().next().done === true;
          },
          { what: 'the end of all' },
        );
        expect(core.schedule.ledger.entries()).toEqual([]);
        expect([core.schedule.queued, core.schedule.unmatched.size]).toEqual([0, 0]);
      } finally {
        await close();
      }
    }),
    { numRuns: 30, endOnFailure: true },
  );
});

function holds(core: Awaited<ReturnType<typeof runtime>>['core'], id: string): boolean {
  return core.schedule.ledger.entries().some(({ task_id }) => task_id === id);
}
