import { z } from 'zod';
import { hasNoField, optional, orElse, section, wholeNumber } from './fields.js';
import { defaultLimitsSchema, flag, priority, queueName, type TaskRequest } from './request.js';
import { END_WORDS, type EndWord } from './notify.js';
import { notifySchema } from './notify-schema.js';
import { count, namedFields, sentences, time } from './schema.js';
import { TASK_STATUSES } from './states.js';

/** How many lanes a rule may name, and an answer shows of a queue. */
export const LANES_MAX = 100;
/** How many tasks that are next an answer shows of a queue. */
export const NEXT_SHOWN = 20;

const bound = wholeNumber.min(0, 'must be at least 0');

const laneRules = z
  .record(queueName, z.strictObject({ max_running: optional(bound) }, hasNoField))
  .refine((lanes) => Object.keys(lanes).length <= LANES_MAX, `must have at most ${LANES_MAX} lanes`);

/** The body that sets the rule of a queue. What it does not name holds no more, so a name that there is not is refused. */
export const QueueRuleRequest = z.strictObject(
  {
    max_running: optional(bound).describe('How many of its tasks may run at once; 0: none'),
    max_waiting: optional(bound).describe(
      'How many of its tasks may wait: a further one is refused with 429; 0: it takes none',
    ),
    paused: flag(false).describe('None of its tasks start; those that run go on'),
    priority: priority.describe('Queues with a higher number come first; 0 by default'),
    default_limits: section(z.strictObject(defaultLimitsSchema.shape, hasNoField)).describe(
      'Limits for tasks that name none of their own, from now on',
    ),
    lanes: orElse(laneRules, () => ({})).describe('The same for single lanes of it'),
    notify: optional(notifySchema).describe('Who is told when a task of it has ended'),
    if_version: optional(bound).describe(
      'Set it only if the rule has this version; 0: only if there is none',
    ),
  },
  hasNoField,
);
/** What a client may send. */
export type QueueRuleRequest = z.input<typeof QueueRuleRequest>;

/** What a queue gives to its tasks: amounts, but for named resources an amount of each. */
const DefaultLimits = z.record(z.string(), z.union([count, z.record(z.string(), count)]));
export type DefaultLimits = z.output<typeof DefaultLimits>;

/** What holds of a queue. */
export const QueueRule = z.strictObject({
  max_running: count.optional(),
  max_waiting: count.optional(),
  paused: z.boolean(),
  priority: z.int(),
  default_limits: DefaultLimits,
  lanes: z.record(z.string(), z.strictObject({ max_running: count })),
  notify: z
    .array(
      z.strictObject({
        when: z.array(z.enum(END_WORDS as [EndWord, ...EndWord[]])).optional(),
        webhook: z.strictObject({ url: z.string(), secret_ref: z.string().optional() }),
      }),
    )
    .optional()
    .describe('Who is told when a task of it has ended; absent where nobody is'),
});
export type QueueRule = z.output<typeof QueueRule>;

/** How many tasks of each status there are. */
export const TaskCounts = z.strictObject(namedFields(TASK_STATUSES, count));
export type TaskCounts = z.output<typeof TaskCounts>;

/** A task that waits for its turn. */
export const NextTask = z.strictObject({
  task_id: z.string(),
  tenant: z.string().optional(),
  lane: z.string().optional(),
  priority: z.int(),
  created_at: time,
});
export type NextTask = z.output<typeof NextTask>;

/** A queue as it is now. */
export const QueueView = z.strictObject({
  queue: z.string(),
  generated_at: time,
  rule: QueueRule.optional().describe('Absent where nobody has set one'),
  version: count.describe('Of the rule: grows with each change of any rule; 0 without one'),
  counts: TaskCounts,
  slots_in_use: count.describe('By its tasks that run or are being started'),
  lanes: z
    .array(z.strictObject({ lane: z.string(), max_running: count.optional(), counts: TaskCounts }))
    .describe(`The first ${LANES_MAX}, those with a bound before those that only have tasks`),
  more_lanes: z.literal(true).optional().describe('There are further lanes'),
  oldest_waiting_ms: count
    .optional()
    .describe('How long the one that was submitted first has waited for room; absent when none waits'),
  started_per_minute: count.describe('Starts in the last minute, as far as this daemon was there'),
  ended_per_minute: count,
  next: z
    .array(NextTask)
    .describe(`The ${NEXT_SHOWN} that are next, in order, as if there were room for all of them`),
  warnings: sentences.optional().describe('What of the stored rule cannot be read, and does not hold'),
});
export type QueueView = z.output<typeof QueueView>;

export const QueuePage = z.strictObject({
  generated_at: time,
  queues: z.array(QueueView),
  next_cursor: z.string().optional(),
});
export type QueuePage = z.output<typeof QueuePage>;

export const QueueDeleteAnswer = z.strictObject({ queue: z.string(), deleted: z.literal(true) });

/** Which page of the list of queues. */
export interface QueueQuery {
  limit: number;
  cursor?: string | undefined;
}

/** The rule that a body sets: lanes that it says nothing about are left out. */
export function ruleOf(body: z.output<typeof QueueRuleRequest>): QueueRule {
  const { if_version: _version, lanes, default_limits, notify = [], ...rule } = body;
  return {
    ...rule,
    default_limits: Object.fromEntries(given(default_limits)),
    notify: notify.length === 0 ? undefined : notify,
    lanes: Object.fromEntries(
      Object.entries(lanes).flatMap(([lane, { max_running }]) =>
        max_running === undefined ? [] : [[lane, { max_running }]],
      ),
    ),
  };
}

/**
 * The request with the limits of its queue where it names none.
 * @param sent the body as it was sent, which is valid: a limit that it leaves out may have a default of its own in the request
 */
export function withDefaultLimits(request: TaskRequest, sent: unknown, defaults: DefaultLimits): TaskRequest {
  const named = new Map(Object.entries((sent as { limits?: object | null }).limits ?? {}));
  const filled = Object.entries(defaults).filter(([name]) => (named.get(name) ?? undefined) === undefined);
  if (filled.length === 0) return request;
  return { ...request, limits: { ...request.limits, ...Object.fromEntries(filled) } };
}

function given<T>(values: Record<string, T | undefined>): [string, T][] {
  return Object.entries(values).filter((entry): entry is [string, T] => entry[1] !== undefined);
}
