import type { Command } from 'commander';
import type { TaskSubmission } from '../client/index.js';
import { parseCount, parseDuration } from './units.js';
import { UsageError } from './usage-error.js';

type RetryPolicy = NonNullable<NonNullable<TaskSubmission['policy']>['retry']>;

/** The flags of `submit` and `run` that say when a task is tried again. */
export interface RetryOptions {
  retries?: number;
  retryOn?: string[];
  retryExitCodes?: number[];
  retryDelay?: number;
  retryFactor?: number;
  retryMaxDelay?: number;
  retryMemoryFactor?: number;
}

/** One less than there may be attempts; the daemon speaks of attempts, which nobody has typed. */
const RETRIES_MAX = 99;
/** In milliseconds. */
const DEFAULT_DELAY_MS = 1000;

/** Adds the flags of {@link RetryOptions}. */
export function addRetryOptions(command: Command): Command {
  return command
    .option('--retries <n>', 'try it again so often when it has failed', parseRetries)
    .option(
      '--retry-on <causes>',
      'only after these: exit, signal, timeout, oom, cpu, output, launch, sandbox, lost; without it after all but lost',
      words,
    )
    .option('--retry-exit-codes <codes>', 'only after exit with one of these codes', codes)
    .option('--retry-delay <duration>', 'how long the first retry waits; 1s without it', parseDuration)
    .option('--retry-factor <n>', 'by what each further wait is longer; 2 without it', parseFactor)
    .option('--retry-max-delay <duration>', 'the longest wait; 1h without it', parseDuration)
    .option(
      '--retry-memory-factor <n>',
      'multiply --memory by this each time it was too little',
      parseFactor,
    );
}

/** `policy.retry` as the flags say. @throws UsageError when they say how, but not that it is tried again */
export function retryPolicy(options: RetryOptions): RetryPolicy | undefined {
  const { retries, retryDelay = DEFAULT_DELAY_MS } = options;
  if (retries === undefined) {
    const other = Object.keys(options).find((key) => key.startsWith('retry'));
    if (other === undefined) return undefined;
    throw new UsageError(`${flagOf(other)} goes with --retries, which says how often`);
  }
  return {
    max_attempts: retries + 1,
    on: options.retryOn as RetryPolicy['on'],
    exit_codes: options.retryExitCodes,
    backoff_ms: retryDelay,
    factor: options.retryFactor,
    max_backoff_ms: options.retryMaxDelay,
    memory_factor: options.retryMemoryFactor,
  };
}

function flagOf(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function parseRetries(text: string): number {
  const retries = parseCount(text);
  if (retries <= RETRIES_MAX) return retries;
  throw new UsageError(`"${text}" is too often: at most ${RETRIES_MAX}`);
}

function parseFactor(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new UsageError(`"${text}" is not a number, such as 1.5`);
  return Number(text);
}

function words(text: string): string[] {
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

function codes(text: string): number[] {
  return words(text).map(parseCount);
}
