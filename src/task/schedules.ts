import { z } from 'zod';
import { ErrorBody } from './error-body.js';
import { optional, orElse, wholeNumber } from './fields.js';
import { flag, submitSchema, text } from './request.js';
import { count, sentences, time } from './schema.js';
import { TASK_STATUSES } from './states.js';

const OVERLAPS = ['skip', 'queue', 'replace'] as const;
const CATCH_UPS = ['none', 'last', 'all'] as const;
const OUTCOMES = ['waiting', 'submitted', 'refused', 'skipped', 'missed'] as const;

/** How many of the coming times an answer shows. */
export const NEXT_TIMES_SHOWN = 5;
/** How many of the last runs the answer about one schedule shows. */
export const RUNS_SHOWN = 20;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** It is a part of the ids of its tasks. */
const scheduleName = z
  .string()
  .refine(
    (s) => NAME.test(s),
    'must be 1 to 64 letters, digits, "-", "_" or ".", and begin with a letter or digit',
  );

/** In place of zod's own words for a field that there is not. */
const inWords = {
  error: ({ code, keys }: { code?: string | undefined; keys?: string[] }) =>
    code === 'unrecognized_keys' ? `has no field "${keys?.[0]?.slice(0, 100) ?? ''}"` : undefined,
};

const bounded = (min: number, max: number) =>
  wholeNumber.min(min, `must be at least ${min}`).max(max, `must be at most ${max}`);

const timing = {
  cron: optional(text.max(200, 'must have at most 200 characters')).describe(
    'Five fields (minute, hour, day of the month, month, day of the week), six with seconds before them, or @hourly, @daily, @weekly, @monthly, @yearly',
  ),
  interval_ms: optional(bounded(1000, 3660 * DAY_MS)).describe(
    'In the place of cron: so much time from one due time to the next, counted from when that was set',
  ),
  timezone: optional(text.max(100, 'must have at most 100 characters')).describe(
    'With cron: the zone of its times, such as Europe/Berlin; UTC without it',
  ),
};

const rules = {
  overlap: orElse(z.enum(OVERLAPS), () => 'skip' as const).describe(
    'When the task of an earlier due time has not ended: skip the due time; queue it until that has ended; replace: cancel that, and submit this one once it has ended',
  ),
  catch_up: orElse(z.enum(CATCH_UPS), () => 'none' as const).describe(
    'Of due times that were missed, as no daemon ran: submit none, the last one, or all of them one after another',
  ),
  catch_up_max: orElse(bounded(1, 100), () => 10).describe('With all: at most so many, the last ones'),
  grace_ms: orElse(bounded(1000, HOUR_MS), () => 60_000).describe(
    'A due time that is at most so late is not missed',
  ),
  jitter_ms: orElse(bounded(0, DAY_MS), () => 0).describe(
    'Each due time is submitted up to so much later, by an amount that is always the same for it',
  ),
  paused: flag(false).describe('None of its due times count until it is resumed'),
};

interface Timed {
  cron?: string | undefined;
  interval_ms?: number | undefined;
  timezone?: string | undefined;
  jitter_ms: number;
  task: z.output<typeof submitSchema>;
}

function checkWhole(body: Timed, ctx: z.RefinementCtx): void {
  const issue = (path: string, message: string) => {
    ctx.addIssue({ code: 'custom', path: path.split('.'), message });
  };
  const { cron, interval_ms, timezone, jitter_ms, task } = body;
  if (cron === undefined && interval_ms === undefined) issue('cron', 'is required, or interval_ms');
  if (cron !== undefined && interval_ms !== undefined)
    issue('interval_ms', 'cannot be given together with cron');
  if (cron === undefined && timezone !== undefined) issue('timezone', 'goes with cron');
  if (interval_ms !== undefined && jitter_ms >= interval_ms)
    issue('jitter_ms', 'must be less than interval_ms');
  if (task.task_id !== undefined)
    issue('task.task_id', 'must be absent: each task gets an id of its due time');
  if (task.control_context?.idempotency_key !== undefined)
    issue(
      'task.control_context.idempotency_key',
      'must be absent: each due time is submitted once by itself',
    );
  if (task.policy.start_at !== undefined)
    issue('task.policy.start_at', 'must be absent: each task starts at its due time');
}

/** All that a schedule is made of but its name. */
export const ScheduleBody = z
  .strictObject({ ...timing, task: submitSchema.describe('A submit body'), ...rules }, inWords)
  .superRefine(checkWhole);

/** The body that makes a schedule. What a field would do that there is not would be missed only much later, so it is refused. */
export const ScheduleRequest = z
  .strictObject(
    { name: scheduleName, ...timing, task: submitSchema.describe('A submit body'), ...rules },
    inWords,
  )
  .superRefine(checkWhole);
/** What a client may send. */
export type ScheduleRequest = z.input<typeof ScheduleRequest>;

/** The body that changes a schedule: a JSON Merge Patch (RFC 7396) of the body that made it. */
export const ScheduleEdit = z.strictObject(
  {
    ...timing,
    ...rules,
    paused: z.boolean().nullish(),
    task: z.looseObject({}).optional().describe('A merge patch of the submit body'),
    if_version: optional(wholeNumber.min(0, 'must be at least 0')).describe(
      'Change it only if it has this version',
    ),
  },
  inWords,
);
/** What a client may send. */
export type ScheduleEdit = z.input<typeof ScheduleEdit>;

/** What holds of a schedule, beside its task. */
export type ScheduleSpec = Omit<z.output<typeof ScheduleBody>, 'task' | 'paused'>;

/** What became of a due time. */
export const ScheduleRun = z.strictObject({
  due_at: time,
  at: time.describe('When that was decided'),
  outcome: z
    .enum(OUTCOMES)
    .describe(
      'waiting: it is submitted once the task before it has ended; refused: the submit was, error says why; skipped: for its overlap; missed: no daemon ran, or it was too late',
    ),
  task_id: z.string().optional(),
  status: z.enum(TASK_STATUSES).optional().describe('Of that task, as long as it is there'),
  manual: z.literal(true).optional().describe('Somebody asked for it: it is no due time'),
  count: count.optional().describe('With missed: so many due times, of which due_at is the last'),
  detail: z.string().optional().describe('Why, in words'),
  error: ErrorBody.optional(),
});
export type ScheduleRun = z.output<typeof ScheduleRun>;

/** What a list tells of a schedule. */
export const ScheduleSummary = z.strictObject({
  name: z.string(),
  version: count.describe('Grows with each change of any schedule'),
  cron: z.string().optional(),
  interval_ms: count.optional(),
  timezone: z.string().optional(),
  overlap: z.enum(OVERLAPS),
  catch_up: z.enum(CATCH_UPS),
  catch_up_max: count,
  grace_ms: count,
  jitter_ms: count,
  paused: z.boolean(),
  created_at: time,
  updated_at: time,
  next: z
    .array(time)
    .describe(`The next ${NEXT_TIMES_SHOWN} due times, in lists the next one; none while it is paused`),
  running: z.array(z.string()).describe('Its tasks that have not ended'),
  runs: z
    .array(ScheduleRun)
    .describe(`What became of the last due times, newest first: ${RUNS_SHOWN}, in lists the last`),
  warnings: sentences.optional().describe('What its tasks would be warned of'),
});
export type ScheduleSummary = z.output<typeof ScheduleSummary>;

/** A schedule as it is now, with its task. */
export const ScheduleView = z.strictObject({
  ...ScheduleSummary.shape,
  task: z.looseObject({}).describe('The submit body, as it was sent'),
});
export type ScheduleView = z.output<typeof ScheduleView>;

export const SchedulePage = z.strictObject({
  generated_at: time,
  schedules: z.array(ScheduleSummary),
  next_cursor: z.string().optional(),
});
export type SchedulePage = z.output<typeof SchedulePage>;

export const ScheduleDeleteAnswer = z.strictObject({ name: z.string(), deleted: z.literal(true) });

/** What is stored of a schedule beside its task. */
export const StoredSpec = z.object({ ...timing, ...rules }).omit({ paused: true });
