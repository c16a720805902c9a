import type { Cause, Verdict } from './causes.js';

/** How many attempts a task may have: each keeps output of its own. */
export const ATTEMPTS_MAX = 100;
/** The longest wait where a policy does not say: an hour, in milliseconds. */
const DEFAULT_MAX_BACKOFF_MS = 3_600_000;

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
export type RetryCause = (typeof RETRY_CAUSES)[number];

/** An attempt that is lost may have done its work: doing it again is for somebody to ask for. */
const DEFAULT_CAUSES: readonly RetryCause[] = RETRY_CAUSES.filter((cause) => cause !== 'lost');

/** `policy.retry` as it was accepted: see `retry-schema.ts`. */
export interface RetryPolicy {
  max_attempts: number;
  on?: readonly RetryCause[] | undefined;
  exit_codes?: readonly number[] | undefined;
  backoff_ms: number;
  factor: number;
  max_backoff_ms?: number | undefined;
  memory_factor?: number | undefined;
}

/** The causes after which it is tried again. */
export function causesOf({ on, exit_codes }: Pick<RetryPolicy, 'on' | 'exit_codes'>): readonly RetryCause[] {
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
