import { z } from 'zod';
import type { Cause, Verdict } from './causes.js';
import { optional, orElse, wholeNumber } from './fields.js';

/** Each attempt keeps output of its own. */
export const ATTEMPTS_MAX = 100;
/** A year, in milliseconds. */
const BACKOFF_MAX_MS = 31_536_000_000;
/** An hour, in milliseconds. */
const DEFAULT_MAX_BACKOFF_MS = 3_600_000;
const DEFAULT_FACTOR = 2;
const FACTOR_MAX = 100;

/** The causes with which an attempt can fail, so that another may follow. */
export const RETRY_CAUSES = [
  'exit',
  'signal',
  'timeout',
  'oom',
  'cpu',
  'output',
  'disk',
  'launch',
  'sandbox',
  'lost',
] as const satisfies readonly Cause[];
type RetryCause = (typeof RETRY_CAUSES)[number];

/** An attempt that is lost may have done its work: doing it again is for somebody to ask for. */
const DEFAULT_CAUSES: readonly RetryCause[] = RETRY_CAUSES.filter((cause) => cause !== 'lost');

const backOff = wholeNumber.min(0, 'must be at least 0').max(BACKOFF_MAX_MS, 'must be at most a year');
const factor = z.number().max(FACTOR_MAX, `must be at most ${FACTOR_MAX}`);

/** `policy.retry`. */
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
export type RetryPolicy = z.output<typeof retrySchema>;

function causesOf({ on, exit_codes }: Pick<RetryPolicy, 'on' | 'exit_codes'>): readonly RetryCause[] {
  return on ?? (exit_codes === undefined ? DEFAULT_CAUSES : ['exit']);
}

/**
 * Whether another attempt follows one that ended so.
 * @param attempt its number, from 1 on
 */
export function isRetried(
  policy: RetryPolicy | undefined,
  attempt: number,
  { status, cause }: Pick<Verdict, 'status' | 'cause'>,
  exitCode: number | undefined,
): boolean {
  if (policy === undefined || status !== 'failed' || attempt >= policy.max_attempts) return false;
  const causes: readonly Cause[] = causesOf(policy);
  if (!causes.includes(cause)) return false;
  const { exit_codes } = policy;
  return cause !== 'exit' || exit_codes === undefined || exit_codes.includes(exitCode ?? 0);
}

/** How long the next attempt waits, in milliseconds. @param attempt the number of the one that failed, from 1 on */
export function retryDelayMs(policy: RetryPolicy, attempt: number): number {
  const { backoff_ms, factor, max_backoff_ms = Math.max(DEFAULT_MAX_BACKOFF_MS, backoff_ms) } = policy;
  return Math.round(Math.min(backoff_ms * factor ** (attempt - 1), max_backoff_ms));
}

/**
 * The memory limit of the attempt after one that was out of memory, in bytes.
 * @param most what can ever be reserved; undefined: without a bound
 */
export function raisedMemory(bytes: number, memoryFactor: number, most: number | undefined): number {
  return Math.max(bytes, Math.min(Math.ceil(bytes * memoryFactor), most ?? Number.MAX_SAFE_INTEGER));
}
