import { z } from 'zod';
import { hasNoField, optional } from './fields.js';
import { asWritten, jsonValue } from './json-value.js';
import { text } from './request.js';
import { count, time } from './schema.js';
import { checkShape } from './shape.js';
import { invalidInputFrom } from './validate.js';

export const COMMAND_STATUSES = ['pending', 'acknowledged', 'completed', 'failed', 'cancelled'] as const;
export type CommandStatus = (typeof COMMAND_STATUSES)[number];

/** How many commands of a task may be open at once, and how many it may have had. */
export const OPEN_COMMANDS_MAX = 100;
export const COMMANDS_MAX = 10_000;
/** How long a payload or a result may be, in bytes of its JSON. */
export const VALUE_MAX_BYTES = 65_536;
const TYPE_MAX = 128;
const KEY_MAX = 255;
const ERROR_MAX = 4_096;

const atMost = (max: number) =>
  text.min(1, 'must not be empty').max(max, `must have at most ${max} characters`);

/** A name that can be seen. */
export const word = (max: number) =>
  atMost(max).refine((s) => /[^\s\p{C}]/u.test(s), 'must have a character that can be seen');

const value = jsonValue(VALUE_MAX_BYTES);

/** What a client says to a task. */
export const CommandRequest = z.strictObject(
  {
    type: word(TYPE_MAX).describe('What is wanted, in a word that the task knows'),
    payload: value.optional().describe('Whatever belongs to it; null without it'),
    idempotency_key: optional(atMost(KEY_MAX)).describe(
      'Sent again with the same type and payload it is the same command; with others it is refused',
    ),
  },
  hasNoField,
);
export type CommandRequest = z.input<typeof CommandRequest>;

/** What a task says when it has carried out a command. */
export const CommandFinish = z.strictObject(
  {
    status: z.enum(['completed', 'failed'], 'must be completed or failed'),
    result: value.optional().describe('Whatever came of it'),
    error: optional(atMost(ERROR_MAX)).describe('Why it failed, in words'),
  },
  hasNoField,
);
export type CommandFinish = z.input<typeof CommandFinish>;

/** A command as it is now. */
export const CommandView = z.strictObject({
  task_id: z.string(),
  seq: count.describe('Its number among the commands of its task, from 1 on'),
  type: z.string(),
  payload: z.unknown(),
  idempotency_key: z.string().optional(),
  status: z.enum(COMMAND_STATUSES).describe('cancelled: the task has ended before it had carried it out'),
  created_at: time,
  acknowledged_at: time.optional().describe('When the task had read it'),
  finished_at: time.optional(),
  result: z.unknown().optional(),
  error: z.string().optional(),
});
export type CommandView = z.output<typeof CommandView>;

/** Commands of one task in their order. */
export const CommandPage = z.strictObject({
  task_id: z.string(),
  commands: z.array(CommandView),
  last_seq: count.describe('The after_seq to go on with'),
});
export type CommandPage = z.output<typeof CommandPage>;

/** A command that was checked. */
export interface NewCommand {
  type: string;
  payload: unknown;
  idempotency_key: string | undefined;
}

/** @throws ExecgoError `invalid_input`, naming the first wrong field */
export function validateCommand(body: unknown): NewCommand {
  const { type, payload = null, idempotency_key } = parsed(CommandRequest, body);
  return { type, payload: asWritten(payload), idempotency_key };
}

/** @throws ExecgoError `invalid_input`, naming the first wrong field */
export function validateFinish(body: unknown): z.output<typeof CommandFinish> {
  const end = parsed(CommandFinish, body);
  return { ...end, result: asWritten(end.result) };
}

function parsed<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  checkShape(body);
  const read = schema.safeParse(body);
  if (!read.success) throw invalidInputFrom(read.error);
  return read.data;
}
