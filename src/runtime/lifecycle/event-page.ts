import type { EventFilter } from '../../task/events.js';
import type { EventPage } from '../../task/view.js';
import type { Core } from '../core.js';
import { waitForSeq } from './wait.js';
import { eventView } from '../views/task-view.js';

/** Which events are asked for, and how long the first is waited for. */
interface Asked {
  filter: EventFilter;
  afterSeq: number;
  limit: number;
  waitMs: number;
}

/**
 * A page of the events that pass, from a bounded part of the history; at its end waits for the first.
 * @throws what `signal` aborts with
 */
export async function eventPage(
  core: Pick<Core, 'store' | 'announcer'>,
  { filter, afterSeq, limit, waitMs }: Asked,
  signal: AbortSignal,
): Promise<EventPage> {
  const { store } = core;
  const until = performance.now() + waitMs;
  for (let from = afterSeq; ;) {
    const { events, lastSeq, isEnd } = await store.events.where(filter, from, limit, signal);
    const left = until - performance.now();
    if (events.length > 0 || !isEnd || left <= 0)
      return { events: events.map(eventView), last_seq: Math.max(afterSeq, lastSeq) };
    from = Math.max(lastSeq, store.events.last);
    await waitForSeq(core, from, left, signal);
  }
}
