import { Option, type Command } from 'commander';
import type { ScheduleEdit } from '../client/index.js';
import { parseCount, parseDuration } from './units.js';
import { UsageError } from './usage-error.js';

const OVERLAPS = ['skip', 'queue', 'replace'] as const;
const CATCH_UPS = ['none', 'last', 'all'] as const;

/** What flags say of a schedule, beside its task. */
export interface ScheduleOptions {
  cron?: string;
  every?: number;
  timezone?: string;
  overlap?: (typeof OVERLAPS)[number];
  catchUp?: (typeof CATCH_UPS)[number];
  catchUpMax?: number;
  grace?: number;
  jitter?: number;
}

/** Adds the flags of {@link ScheduleOptions}. */
export function addScheduleOptions(command: Command): Command {
  return command
    .option(
      '--every <duration>',
      'due every so often, such as 10m, instead of a cron expression',
      parseDuration,
    )
    .option(
      '--timezone <zone>',
      'of the cron expression, such as Europe/Berlin or UTC; that of this machine without it',
    )
    .addOption(
      new Option('--overlap <how>', 'when its last task has not ended; skip without it').choices(OVERLAPS),
    )
    .addOption(
      new Option('--catch-up <which>', 'due times that were missed; none without it').choices(CATCH_UPS),
    )
    .option('--catch-up-max <n>', 'how many of all at most; 10 without it', parseCount)
    .option('--grace <duration>', 'what is so late is not missed; 1m without it', parseDuration)
    .option('--jitter <duration>', 'submit up to so much later', parseDuration);
}

/** The zone of this machine. */
export function localZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** The fields that flags name. */
export function rulesOf(
  options: ScheduleOptions,
): Omit<ScheduleEdit, 'cron' | 'interval_ms' | 'timezone' | 'task'> {
  const rules = {
    overlap: options.overlap,
    catch_up: options.catchUp,
    catch_up_max: options.catchUpMax,
    grace_ms: options.grace,
    jitter_ms: options.jitter,
  };
  return Object.fromEntries(Object.entries(rules).filter(([, value]) => value !== undefined));
}

/**
 * Parts what is typed before `--` from the command behind it, which may look like flags.
 * @returns undefined for the command where there is no `--`
 */
export function splitCommand(argv: readonly string[]): { before: string[]; words: string[] | undefined } {
  const at = argv.indexOf('--');
  return at < 0
    ? { before: [...argv], words: undefined }
    : { before: argv.slice(0, at), words: argv.slice(at + 1) };
}

/** @throws UsageError unless there is one of both */
export function timingOf(cron: string | undefined, { every, timezone }: ScheduleOptions) {
  if (cron !== undefined && every !== undefined)
    throw new UsageError('give a cron expression or --every, not both');
  if (every !== undefined) {
    if (timezone !== undefined) throw new UsageError('--timezone goes with a cron expression');
    return { interval_ms: every };
  }
  if (cron === undefined)
    throw new UsageError(
      `when? give a cron expression, such as '0 3 * * *' for 3:00 each day, or --every 10m`,
    );
  return { cron, timezone: timezone ?? localZone() };
}
