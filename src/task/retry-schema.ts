import { z } from 'zod';
import { optional, orElse, wholeNumber } from './fields.js';
import { ATTEMPTS_MAX, causesOf, RETRY_CAUSES } from './retry.js';

/** A year, in milliseconds. */
const BACKOFF_MAX_MS = 31_536_000_000;
const DEFAULT_FACTOR = 2;
const FACTOR_MAX = 100;

const backOff = wholeNumber.min(0, 'must be at least 0').max(BACKOFF_MAX_MS, 'must be at most a year');
const factor = z.number().max(FACTOR_MAX, `must be at most ${FACTOR_MAX}`);

/** `policy.retry` of a request. */
export const retrySchema = z
  .object({
    max_attempts: wholeNumber
      .min(1, 'must be at least 1')
      .max(ATTEMPTS_MAX, `must be at most ${ATTEMPTS_MAX}`)
      .describe('How many attempts there may be, with the first'),
    on: optional(z.array(z.enum(RETRY_CAUSES)).min(1, 'must name a cause')).describe(
      'After which causes it is tried again: all of these but lost, or only exit where exit_codes are given',
    ),
    exit_codes: optional(
      z
        .array(wholeNumber.min(1, 'must be from 1 to 255').max(255, 'must be from 1 to 255'))
        .min(1, 'must name an exit code'),
    ).describe('After cause exit only with one of these codes'),
    backoff_ms: backOff.describe('How long the second attempt waits'),
    factor: orElse(factor.min(1, 'must be at least 1'), () => DEFAULT_FACTOR).describe(
      `By what each further wait is longer than the one before; ${DEFAULT_FACTOR} by default`,
    ),
    max_backoff_ms: optional(backOff).describe('The longest wait; an hour by default, or backoff_ms'),
    memory_factor: optional(factor.gt(1, 'must be greater than 1')).describe(
      'By what limits.memory_bytes is multiplied after cause oom, up to what the machine and the quota of its tenant can ever hold',
    ),
  })
  .superRefine(({ on, exit_codes, backoff_ms, max_backoff_ms, memory_factor }, ctx) => {
    const issue = (path: string, message: string) => {
      ctx.addIssue({ code: 'custom', path: [path], message });
    };
    if (exit_codes !== undefined && on?.includes('exit') === false)
      issue('exit_codes', 'goes only with the cause "exit"');
    if (memory_factor !== undefined && !causesOf({ on, exit_codes }).includes('oom'))
      issue('memory_factor', 'goes only with the cause "oom"');
    if (max_backoff_ms !== undefined && max_backoff_ms < backoff_ms)
      issue('max_backoff_ms', 'must not be less than the first wait');
  });
