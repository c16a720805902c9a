import TinyQueue from 'tinyqueue';
import { NO_ENDS } from '../../store/queue-ends.js';
import { ExecgoError, invalidInput } from '../../task/errors.js';
import {
  LANES_MAX,
  NEXT_SHOWN,
  type QueuePage,
  type QueueQuery,
  type QueueView,
  type TaskCounts,
} from '../../task/queues.js';
import type { Core } from '../core.js';
import { NONE_LIVE } from '../queue-counts.js';
import type { QueueRules } from '../queue-rules.js';
import type { Schedule } from '../schedule.js';
import type { QueueFigures } from './metrics.js';
import { timestamp } from './timestamp.js';

/** What tells how queues are. */
export type QueueCore = Pick<Core, 'live' | 'store' | 'now'> & { rules: QueueRules; schedule: Schedule };

/**
 * A queue as it is now. Everything is from counters that are kept, so that it costs the same with any history.
 * @throws ExecgoError `not_found` for a queue that has neither a rule nor tasks
 */
export function queueView(core: QueueCore, queue: string): QueueView {
  const { live, store, rules, schedule, now } = core;
  const stored = rules.of(queue);
  const ends = store.queueEnds.ofQueue(queue);
  const count = live.counts.of(queue);
  if (stored === undefined && ends === undefined && count === undefined)
    throw new ExecgoError('not_found', `queue not found: ${queue}`, { queue });
  const { started, ended } = live.counts.lastMinute(queue);
  const { shown, more } = lanesOf(core, queue);
  const unreadable = stored?.unreadable ?? [];
  return {
    queue,
    generated_at: timestamp(now()),
    rule: stored?.rule,
    version: stored?.version ?? 0,
    counts: counts(count, ends),
    slots_in_use: schedule.ledger.slotsOf(queue),
    lanes: shown.map((lane) => ({
      lane,
      max_running: stored?.rule.lanes[lane]?.max_running,
      counts: counts(count?.lanes.get(lane), store.queueEnds.ofLane(queue, lane)),
    })),
    more_lanes: more ? true : undefined,
    oldest_waiting_ms: schedule.oldestWaitingMs(queue),
    started_per_minute: started,
    ended_per_minute: ended,
    next: schedule.nextOf(queue, NEXT_SHOWN).flatMap(({ task_id, tenant, lane, priority }) => {
      const record = live.get(task_id)?.record;
      return record === undefined
        ? []
        : [{ task_id, tenant, lane, priority, created_at: timestamp(record.created_at_ms) }];
    }),
    warnings:
      unreadable.length === 0
        ? undefined
        : unreadable.map((name) => `${name} of the stored rule cannot be read, and does not hold`),
  };
}

/** Queues that have a rule or tasks, in the order of the bytes of their names. */
export function queuePage(core: QueueCore, { limit, cursor }: QueueQuery): QueuePage {
  const { rules, live, store, now } = core;
  const after = cursor === undefined ? '' : decodeCursor(cursor);
  const known = [...rules.all()].map(({ queue }) => queue);
  const names = new Set([...known, ...live.counts.names(), ...store.queueEnds.names(after, limit + 1)]);
  const rest = [...names].filter((name) => comesBefore(after, name));
  const heap = new TinyQueue(rest, (a, b) => (comesBefore(a, b) ? -1 : 1));
  const page: string[] = [];
  while (page.length < limit) {
    const name = heap.pop();
    if (name === undefined) break;
    page.push(name);
  }
  return {
    generated_at: timestamp(now()),
    queues: page.map((name) => queueView(core, name)),
    next_cursor: heap.length === 0 ? undefined : Buffer.from(page.at(-1) ?? after).toString('base64url'),
  };
}

/** What metrics tell of the queues that have a rule. */
export function queueFigures({
  rules,
  live,
  schedule,
}: Pick<QueueCore, 'rules' | 'live' | 'schedule'>): QueueFigures[] {
  return [...rules.all()].map(({ queue, rule: { paused } }) => {
    const { running, accepted: waiting } = live.counts.of(queue) ?? NONE_LIVE;
    return { queue, running, waiting, paused, oldestMs: schedule.oldestWaitingMs(queue) ?? 0 };
  });
}

function counts(live = NONE_LIVE, ends = NO_ENDS): TaskCounts {
  const { accepted, running } = live;
  const { success, failed, cancelled } = ends;
  return { accepted, running, success, failed, cancelled };
}

/** Lanes with a bound come first, then those with tasks that have not ended. */
function lanesOf({ rules, live, store }: QueueCore, queue: string): { shown: string[]; more: boolean } {
  const found = new Set<string>(Object.keys(rules.of(queue)?.rule.lanes ?? {}));
  for (const source of [
    live.counts.of(queue)?.lanes.keys() ?? [],
    store.queueEnds.lanesOf(queue, LANES_MAX + 1),
  ])
    for (const lane of source) {
      if (found.size > LANES_MAX) break;
      found.add(lane);
    }
  return { shown: [...found].slice(0, LANES_MAX), more: found.size > LANES_MAX };
}

/** @throws ExecgoError `invalid_input` for one that no page had */
function decodeCursor(cursor: string): string {
  const name = Buffer.from(cursor, 'base64url').toString();
  if (Buffer.from(name).toString('base64url') !== cursor)
    throw invalidInput('cursor: is not one that a list returned');
  return name;
}

/** By the bytes of both as UTF-8, which is the order that the database has. */
function comesBefore(a: string, b: string): boolean {
  const end = Math.min(a.length, b.length);
  for (let i = 0; i < end; i++) {
    const [x, y] = [rank(a.charCodeAt(i)), rank(b.charCodeAt(i))];
    if (x !== y) return x < y;
  }
  return a.length < b.length;
}

/** Halves of surrogate pairs stand for characters that come after all others. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
