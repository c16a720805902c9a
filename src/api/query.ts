import type { Request } from 'express';
import { z } from 'zod';
import { EVENT_TYPES } from '../task/events.js';
import { ExecgoError, invalidInput, taskNotFound } from '../task/errors.js';
import { invalidInputFrom } from '../task/validate.js';

/** The longest time that a request may wait, in milliseconds. */
export const MAX_WAIT_MS = 60_000;

/** A text that is given, and given once. */
export const once = (what: string) => z.string(`must be given once, as ${what}`);

interface WholeNumber {
  description: string;
  min?: number;
  max?: number;
  /** A value above `max` counts as `max` instead of being an error. */
  clamp?: boolean;
}

/** A query parameter that is a whole number. */
export function wholeNumber({
  description,
  min = 0,
  max = Number.MAX_SAFE_INTEGER,
  clamp = false,
}: WholeNumber) {
  return once('a whole number')
    .regex(/^\d+$/, 'must be a whole number, 0 or more')
    .transform((text, ctx) => {
      const value = clamp ? Math.min(Number(text), max) : Number(text);
      if (value >= min && value <= max) return value;
      ctx.addIssue({ code: 'custom', message: `must be from ${min} to ${max}` });
      return z.NEVER;
    })
    .meta({ type: 'integer', minimum: min, ...(clamp ? {} : { maximum: max }), description });
}

/** A query parameter that is one of a few words. */
export function oneOf<const T extends [string, ...string[]]>(words: T, description: string) {
  return z.enum(words, `must be given once, as ${words.join(' or ')}`).describe(description);
}

/** A query parameter that is any text except the empty one. */
export function word(description: string) {
  return once('text').min(1, 'must not be empty').describe(description);
}

/** A query parameter that is a point in time: Unix time in milliseconds. */
export function instant(description: string) {
  const wanted = 'must be a time such as 2026-03-01T10:00:00Z';
  return (
    once('a time such as 2026-03-01T10:00:00Z')
      // In a URL a + that is not written as %2B is a blank.
      .transform((text) => text.replace(/ (\d\d:\d\d)$/, '+$1'))
      .pipe(z.iso.datetime({ offset: true, error: wanted }))
      .transform((text) => Date.parse(text))
      .meta({ type: 'string', format: 'date-time', pattern: undefined, description })
  );
}

/** The `wait_ms` of several routes. */
export const waitMs = wholeNumber({
  description: `Milliseconds to wait for what is asked for; more than ${MAX_WAIT_MS} means ${MAX_WAIT_MS}.`,
  max: MAX_WAIT_MS,
  clamp: true,
}).default(0);

/** How many tasks one request may name. */
const IDS_MAX = 1_000;

/** A query parameter that is several words: separated by commas, or given several times. */
export const words = z
  .union([z.string(), z.array(z.string())])
  .transform((given) => [given].flat().flatMap((s) => s.split(',')));

/** The ids of some tasks. Each counts once. */
export const idList = words
  .transform((ids) => [...new Set(ids)])
  .pipe(z.array(z.string().min(1, 'must not be empty')).max(IDS_MAX, `must be at most ${IDS_MAX} ids`))
  .meta({
    type: 'string',
    anyOf: undefined,
    description: `Ids of up to ${IDS_MAX} tasks: separated by commas, or given several times.`,
  });

/** The `after_seq` of the event routes. */
export const afterSeq = wholeNumber({ description: 'Only events with a greater seq.' });

const EVENTS_DEFAULT = 100;
const EVENTS_MAX = 1_000;

/** The `limit` of the routes of events. */
export const eventLimit = wholeNumber({
  description: `Most events to answer; ${EVENTS_DEFAULT} by default.`,
  min: 1,
  max: EVENTS_MAX,
}).default(EVENTS_DEFAULT);

/** The `event_type` of the routes of events. */
export const eventTypes = words
  .pipe(z.array(z.enum(EVENT_TYPES, `must be some of ${EVENT_TYPES.join(', ')}`)))
  .meta({
    type: 'string',
    anyOf: undefined,
    description: `Some of ${EVENT_TYPES.join(', ')}: separated by commas, or given several times.`,
  });

/**
 * Reads the query string; parameters that the schema does not name are ignored.
 * @throws ExecgoError `invalid_input`, naming the parameter
 */
export function parseQuery<T extends z.ZodObject>(schema: T, req: Request): z.output<T> {
  const parsed = schema.safeParse(req.query);
  if (!parsed.success) throw invalidInputFrom(parsed.error);
  return parsed.data;
}

/**
 * The task id in the path: any text, because tasks of the older runtime may have ids that a new task may not.
 * @throws ExecgoError `not_found` when there is none
 */
export function taskIdOf(req: Request): string {
  const { id } = req.params;
  if (typeof id !== 'string') throw taskNotFound(String(id));
  return id;
}

/**
 * The name of a queue in the path: any text, because queues of an older runtime may have any name.
 * @throws ExecgoError `not_found` when there is none
 */
export function queueOf(req: Request): string {
  const { name } = req.params;
  if (typeof name !== 'string') throw new ExecgoError('not_found', `queue not found: ${String(name)}`);
  return name;
}

/** The name of a schedule in the path. @throws ExecgoError `not_found` when there is none */
export function scheduleOf(req: Request): string {
  const { name } = req.params;
  if (typeof name !== 'string') throw new ExecgoError('not_found', `schedule not found: ${String(name)}`);
  return name;
}

/**
 * The number of a command in the path.
 * @throws ExecgoError `invalid_input` for what no command can have
 */
export function commandSeqOf(req: Request): number {
  const seq = String(req.params['seq']);
  if (!/^[1-9]\d{0,14}$/.test(seq)) throw invalidInput('seq: must be the number of a command, from 1 on');
  return Number(seq);
}
