import { Option, type Command } from 'commander';
import { parseDuration } from './units.js';
import { UsageError } from './usage-error.js';

/** When a task may start, as flags say it. */
export interface StartTimeOptions {
  /** Unix time in milliseconds. */
  at?: number | 'now';
  /** In so many milliseconds. */
  in?: number;
  hold?: boolean;
}

/** Adds the flags of {@link StartTimeOptions}. */
export function addStartTimeOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--at <time>', 'do not start before this time: 18:30, "tomorrow 8:00", 2027-03-01T18:00Z')
        .argParser((text) => parseAt(text, Date.now()))
        .conflicts('in'),
    )
    .option('--in <duration>', 'do not start before so much time has passed', parseDuration);
}

/** What is no longer ago, in milliseconds, is the present for whoever reckons in minutes. */
const PAST_MS = 60_000;

/**
 * `policy.start_at` of the flags: undefined when they do not say, null for at once.
 * @param now Unix time in milliseconds
 * @throws UsageError for a time that has passed, which is most likely not what was meant
 */
export function startAtOf({ at, in: inMs }: StartTimeOptions, now: number): string | null | undefined {
  if (inMs !== undefined) return inRange(now + inMs, `--in`);
  if (at === 'now') return null;
  if (at === undefined) return undefined;
  if (at < now - PAST_MS)
    throw new UsageError(
      `--at: ${inRange(at, '--at')} has passed; write now to start as soon as there is room`,
    );
  return inRange(at, '--at');
}

const CLOCK = String.raw`(\d{1,2}):(\d{2})(?::(\d{2}))?`;
const FORMS =
  'write 18:30, "tomorrow 8:00", 2027-03-01, "2027-03-01 18:00", 2027-03-01T18:00:00Z, @1803924000 or now';

/**
 * The Unix time in milliseconds that a text means. A time without a zone is one of this machine, a time of day the next
 * one there is.
 * @throws UsageError
 */
export function parseAt(text: string, now: number): number | 'now' {
  const said = text.trim();
  if (said === 'now') return said;
  const at = unixTime(said) ?? timeOfDay(said, now) ?? dayAndTime(said, now) ?? withZone(said);
  if (at === undefined || Number.isNaN(at)) throw new UsageError(`"${text}" is not a time: ${FORMS}`);
  return at;
}

function unixTime(text: string): number | undefined {
  return /^@\d{1,12}$/.test(text) ? Number(text.slice(1)) * 1000 : undefined;
}

function timeOfDay(text: string, now: number): number | undefined {
  const clock = clockOf(new RegExp(`^${CLOCK}$`).exec(text)?.slice(1));
  if (clock === undefined) return undefined;
  const today = local(dateOf(now), clock);
  return today > now ? today : local(dateOf(now, 1), clock);
}

function dayAndTime(text: string, now: number): number | undefined {
  const [, day = '', ...clock] =
    new RegExp(String.raw`^(today|tomorrow|\d{4}-\d{2}-\d{2})(?:[T ]${CLOCK})?$`).exec(text) ?? [];
  if (day === '') return undefined;
  const time = clock[0] === undefined ? [0, 0, 0] : clockOf(clock);
  const date = day === 'today' ? dateOf(now) : day === 'tomorrow' ? dateOf(now, 1) : writtenDate(day);
  return time === undefined || date === undefined ? undefined : local(date, time);
}

function withZone(text: string): number | undefined {
  const [, date = '', clock = '', part = '', zone = ''] =
    /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2})?)(\.\d+)?(Z|[+-]\d{2}:?\d{2})$/i.exec(text) ?? [];
  if (writtenDate(date) === undefined || clockOf(clock.split(':')) === undefined) return undefined;
  const offset = zone.toUpperCase().replace(/^([+-]\d{2})(\d{2})$/, '$1:$2');
  return Date.parse(`${date}T${clock}${part}${offset}`);
}

/** Hours, minutes and seconds; undefined when there is no such time of day. */
function clockOf(parts: readonly (string | undefined)[] | undefined): number[] | undefined {
  if (parts === undefined) return undefined;
  const [hours = 0, minutes = 0, seconds = 0] = parts.map((part) => Number(part ?? 0));
  return hours < 24 && minutes < 60 && seconds < 60 ? [hours, minutes, seconds] : undefined;
}

/** Year, month from 0 on and day; undefined when there is no such date. */
function writtenDate(text: string): number[] | undefined {
  const [year = 0, month = 0, day = 0] = text.split('-').map(Number);
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? [year, month - 1, day] : undefined;
}

/** The date here. */
function dateOf(now: number, daysLater = 0): number[] {
  const date = new Date(now);
  return [date.getFullYear(), date.getMonth(), date.getDate() + daysLater];
}

function local(
  [year = 0, month = 0, day = 0]: number[],
  [hours = 0, minutes = 0, seconds = 0]: number[],
): number {
  return new Date(year, month, day, hours, minutes, seconds).getTime();
}

/** The last moment that RFC 3339 has a date for. */
const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

function inRange(atMs: number, flag: string): string {
  if (atMs > LAST_MS) throw new UsageError(`${flag}: that is after the year 9999`);
  return new Date(atMs).toISOString();
}
