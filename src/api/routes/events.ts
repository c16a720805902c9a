import type { Request, Response } from 'express';
import { z } from 'zod';
import { invalidInput } from '../../task/errors.js';
import type { EventPage, EventView } from '../../task/view.js';
import type { ApiContext } from '../context.js';
import type { EventFilter } from '../../task/events.js';
import { afterSeq, eventTypes, eventLimit, parseQuery, waitMs, word } from '../query.js';
import { sendJson } from '../respond.js';
import type { Route } from '../route.js';
import { openSse } from '../sse.js';

const query = z.object({
  after_seq: afterSeq.optional(),
  limit: eventLimit,
  wait_ms: waitMs,
  event_type: eventTypes.optional(),
  tenant: word('Of tasks of exactly this tenant.').optional(),
  queue: word('Of tasks that are in exactly this queue.').optional(),
  session_id: word('Of tasks of exactly this session.').optional(),
  group: word('Of tasks of exactly this group.').optional(),
  label: word('Of tasks with this label: key, or key=value.').optional(),
});

/** Answers the events of all tasks: one page, or a stream of them as they happen. */
export const events: Route = {
  method: 'get',
  path: '/api/v1/events',
  doc: {
    summary:
      'Events of all tasks, by seq, or with conditions some; as server-sent events from after_seq on, else from now on',
    query,
    headers: {
      'last-event-id': 'Seq of the last event seen; goes before after_seq. Server-sent events only.',
    },
    answers: { 'application/json': 'EventsAnswer' },
    events: { message: 'EventView' },
    errors: ['invalid_input'],
  },
  handle: async (ctx, req, res) => {
    const { after_seq, limit, wait_ms, ...conditions } = parseQuery(query, req);
    const filter = Object.keys(conditions).length === 0 ? undefined : conditions;
    if (wantsStream(req)) {
      await stream(ctx, res, lastEventId(req) ?? after_seq ?? ctx.service.lastSeq(), filter);
      return;
    }
    const page = await ctx.waiters.poll<EventView[] | EventPage>(res, wait_ms, (wait, signal) =>
      filter === undefined
        ? ctx.service.events(after_seq ?? 0, limit, wait, signal)
        : ctx.service.eventsWhere(filter, after_seq ?? 0, limit, wait, signal),
    );
    if (page !== undefined) sendJson(res, page);
  },
};

/** Only a client that names the type gets a stream, and not one that takes anything. */
function wantsStream(req: Request): boolean {
  return req.accepts().some((type) => type.toLowerCase() === 'text/event-stream');
}

function lastEventId(req: Request): number | undefined {
  const id = req.get('last-event-id');
  if (id === undefined || id === '') return undefined;
  const seq = /^\d+$/.test(id) ? Number(id) : NaN;
  if (!Number.isSafeInteger(seq)) throw invalidInput('last-event-id: must be the seq of an event');
  return seq;
}

async function stream(
  ctx: ApiContext,
  res: Response,
  from: number,
  filter: EventFilter | undefined,
): Promise<void> {
  const sse = openSse(res, ctx.heartbeatMs);
  if (sse === undefined) return;
  const signal = ctx.waiters.signal(res);
  sse.position(String(from));
  let seq = from;
  try {
    while (!signal.aborted) {
      const page = await ctx.feed.after(seq, signal, filter);
      if (page.text.length > 0) await sse.sendEncoded(page.text);
      // Who comes again does not look again at what did not pass.
      else if (page.lastSeq > seq) sse.position(String(page.lastSeq));
      seq = page.lastSeq;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  sse.end();
}
