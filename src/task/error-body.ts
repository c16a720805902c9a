import { z } from 'zod';
import { ERROR_STATUS, type ErrorCode } from './error-codes.js';

/** What a client sees of an error, in an HTTP answer and in a task's `error`. */
export const ErrorBody = z.strictObject({
  code: z.enum(Object.keys(ERROR_STATUS) as [ErrorCode, ...ErrorCode[]]),
  message: z.string(),
  details: z.unknown().optional(),
});
export type ErrorBody = z.output<typeof ErrorBody>;

/** The body of every refusal. */
export const ErrorAnswer = z.strictObject({ error: ErrorBody });
export type ErrorAnswer = z.output<typeof ErrorAnswer>;
