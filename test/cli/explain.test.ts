import { expect, test } from 'vitest';
import { explanation } from '../../src/cli/commands/explain.js';
import type { TaskView } from '../../src/client/index.js';
import { taskView } from '../client/fake-server.js';

const NOW = Date.parse('2026-01-02T03:05:05Z');
const since = '2026-01-02T03:04:05Z';
const lack = { of: 'machine', resource: 'memory_bytes', requested: 6, free: 2, limit: 8 } as const;

const holder = (task_id: string, memory_bytes: number | undefined, place: object = {}) => ({
  ...{ task_id, queue: 'default', status: 'running' as const, reserved_at: since },
  reservation: { task_slots: 1, memory_bytes },
  ...place,
});
const task = (parts: object = {}) => taskView({ status: 'accepted', ...parts }) as TaskView;
const explain = (of: TaskView, waiting: object, holders: ReturnType<typeof holder>[]) =>
  explanation(of, { reason: 'capacity', detail: 'needs it', since, ...waiting }, holders, NOW);

test('the tasks that hold most are named, and the others counted', () => {
  const holders = [3, 9, 1, 7, undefined, 5, 8].map((n, i) => holder(`h${i}`, n));
  expect(explain(task(), { lack, position: 2 }, holders)).toEqual([
    't1 has waited for 1m0s: capacity',
    'needs it',
    '6 tasks hold the rest: h1 (9 B), h6 (8 B), h3 (7 B), h5 (5 B), h0 (3 B) and 1 more',
    'it is number 2 of the waiting tasks without a tenant in queue default',
  ]);
});

test('only those count that are under the same bound', () => {
  const place = { tenant: 'a', queue: 'q', lane: 'l' };
  const of = task(place);
  const holders = [
    holder('all', 1, place),
    holder('lane', 1, { ...place, tenant: 'b' }),
    holder('queue', 1, { queue: 'q' }),
    holder('tenant', 1, { tenant: 'a' }),
    holder('none', 1),
  ];
  const named = (bound: string) => explain(of, { lack: { ...lack, of: bound } }, holders)[2];
  const each = (...names: string[]) =>
    `${names.length} tasks hold the rest: ${names.map((name) => `${name} (1 B)`).join(', ')}`;
  expect(named('lane')).toBe(each('all', 'lane'));
  expect(named('queue')).toBe(each('all', 'lane', 'queue'));
  expect(named('tenant')).toBe(each('all', 'tenant'));
  expect(named('machine')).toBe(each('all', 'lane', 'queue', 'tenant', 'none'));
});

test('what nobody holds is not told, and nothing of a task reaches the terminal as it is', () => {
  expect(explain(task(), { lack }, [])).toHaveLength(2);
  expect(explain(task(), {}, [holder('h', 1)])).toHaveLength(2);
  const lines = explain(task({ tenant: 'x\u001b[2J' }), { position: 1, detail: 'a\u202eb' }, []);
  for (const unseen of ['\u001b', '\u202e']) expect(lines.join('\n')).not.toContain(unseen);
});
