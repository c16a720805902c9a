import { expect, test } from 'vitest';
import { waitFor } from '../harness/wait.js';
import { type Subject, subject, success } from './subject.js';

/** How many tasks ended in each transaction. */
function endsByCommit(s: Subject): () => number {
  let [now, most] = [0, 0];
  const { store } = s.core;
  const { changes, commits } = store;
  const { end, release } = changes;
  const count = <A extends unknown[], R>(each: (...args: A) => R) =>
    function (this: unknown, ...args: A): R {
      most = Math.max(most, ++now);
      return each.apply(changes, args);
    };
  changes.end = count(end);
  changes.release = count(release);
  const { write } = commits;
  commits.write = ((fn: () => unknown) =>
    write.call(commits, () => {
      now = 0;
      return fn();
    })) as typeof commits.write;
  return () => most;
}

/** Tasks as they are accepted, whose ids cannot be those of directories: files would cost more than all that is looked at here. */
async function acceptAll(s: Subject, tasks: { id: string; after: string }[]): Promise<void> {
  const { core } = s;
  const plain = core.store.tasks.get('root')!;
  const request = { ...plain.request, policy: { priority: 0 } };
  for (let i = 0; i < tasks.length; i += 500)
    await core.store.commits.write(() => {
      for (const { id, after } of tasks.slice(i, i + 500)) {
        const open = success(after);
        const written = core.store.newTasks.insert({
          ...{ task_id: id, plan: plain.plan!, reservation: plain.reservation!, created_at_ms: Date.now() },
          request: { ...request, policy: { ...request.policy, after: open } } as typeof plain.request,
          ...{ request_json: JSON.stringify(request), sent_json: '{}' },
          events: [{ event_type: 'submitted', timestamp_ms: Date.now() }],
        });
        if (!written.inserted) throw new Error(`${id} is taken`);
        core.store.dependencies.set(id, open);
        const live = core.live.add(written.task, true);
        core.dependants.entered(id, open);
        core.dispatcher.enqueue(live);
      }
    });
}

test('1,000 tasks after one, and 10,000 one after the other, are cancelled in pieces', async () => {
  const s = await subject({ slots: 1 });
  await s.send('root', []);
  await acceptAll(s, [
    ...Array.from({ length: 1000 }, (_, i) => ({ id: `fan/${i}`, after: 'root' })),
    ...Array.from({ length: 10_000 }, (_, i) => ({
      id: `chain/${i}`,
      after: i === 0 ? 'root' : `chain/${i - 1}`,
    })),
  ]);
  expect(s.core.schedule.notYet.size).toBe(11_000);
  const most = endsByCommit(s);
  await s.kill('root');
  await waitFor(() => s.core.live.all().next().done, { timeoutMs: 60_000, what: 'the end of all' });
  expect(most()).toBeLessThanOrEqual(50);
  expect(s.core.store.counters.read().entered.cancelled).toBe(11_001);
  expect(s.core.store.dependencies.all()).toEqual([]);
});

test('10,000 tasks may start when one has succeeded, in pieces', async () => {
  const s = await subject({ slots: 1 });
  await s.send('root', []);
  await s.send('busy', [], { policy: { priority: 1 } });
  await acceptAll(
    s,
    Array.from({ length: 10_000 }, (_, i) => ({ id: `fan/${i}`, after: 'root' })),
  );
  const most = endsByCommit(s);
  await s.finish('root');
  await waitFor(() => s.core.schedule.queued === 10_000, { timeoutMs: 60_000, what: 'the release of all' });
  expect(s.status('busy')).toBe('running');
  expect(most()).toBeLessThanOrEqual(50);
});
