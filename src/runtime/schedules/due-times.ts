import { Cron } from 'croner';
import { invalidInput } from '../../task/errors.js';
import { messageOf } from '../../files/errno.js';
import type { ScheduleSpec } from '../../task/schedules.js';

/** How far back the last due times are looked for at first, in milliseconds. */
const FIRST_SPAN_MS = 60_000;
/** More than there may be in that. */
const LEAST_MOST = 100;
/** The last moment that a date has. */
const LAST_TIME_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

/** The due times of one schedule. All times are Unix milliseconds. */
export interface DueTimes {
  /** The first one after a moment; undefined when none comes any more. */
  next(afterMs: number): number | undefined;
  /** The last ones from `from` to `to`, both included, at most `count`, in order. */
  last(from: number, to: number, count: number): number[];
}

/**
 * @param anchorMs from when on an interval counts
 * @throws ExecgoError `invalid_input` for an expression or a zone that cannot be understood
 */
export function dueTimesOf({ cron, interval_ms, timezone }: Timing, anchorMs: number): DueTimes {
  if (cron !== undefined) return new CronTimes(cron, timezone ?? 'UTC');
  if (interval_ms !== undefined) return new IntervalTimes(interval_ms, anchorMs);
  throw invalidInput('cron: is required, or interval_ms');
}

type Timing = Partial<Pick<ScheduleSpec, 'cron' | 'interval_ms' | 'timezone'>>;

/** The first due times after a moment. */
export function comingTimes(times: DueTimes, afterMs: number, count: number): number[] {
  const coming: number[] = [];
  for (let at = times.next(afterMs); at !== undefined && coming.length < count; at = times.next(at))
    coming.push(at);
  return coming;
}

class IntervalTimes implements DueTimes {
  constructor(
    private readonly everyMs: number,
    private readonly anchorMs: number,
  ) {}

  next(afterMs: number): number | undefined {
    const passed = Math.max(0, Math.floor((afterMs - this.anchorMs) / this.everyMs));
    const at = this.anchorMs + (passed + 1) * this.everyMs;
    return at <= LAST_TIME_MS ? at : undefined;
  }

  last(from: number, to: number, count: number): number[] {
    const found: number[] = [];
    const steps = Math.floor((to - this.anchorMs) / this.everyMs);
    for (let n = steps; n >= 1 && found.length < count; n--) {
      const at = this.anchorMs + n * this.everyMs;
      if (at < from) break;
      found.unshift(at);
    }
    return found;
  }
}

class CronTimes implements DueTimes {
  readonly #cron: Cron;

  /**
   * A fixed time of day that a change of the clocks leaves out comes right after the gap, and one that comes twice counts the first time;
   * what comes every so many minutes or hours goes on as time does.
   */
  constructor(expression: string, timezone: string) {
    try {
      new Intl.DateTimeFormat('en', { timeZone: timezone });
    } catch {
      throw invalidInput(
        `timezone: ${JSON.stringify(timezone)} is not the name of a time zone, such as Europe/Berlin`,
      );
    }
    // croner takes a date as well, which would come once, and a "?" for the present.
    if (!/^(@\w+|\S+(\s+\S+){4,5})$/.test(expression.trim()) || expression.includes('?'))
      throw invalidInput(
        'cron: must have five fields, six with seconds before them, or be @hourly, @daily or the like',
      );
    try {
      this.#cron = new Cron(expression.trim(), {
        timezone,
        mode: '5-or-6-parts',
        fixedTimeRule: 'no-wildcard',
        paused: true,
      });
    } catch (error) {
      throw invalidInput(`cron: ${messageOf(error).replace(/^CronPattern: /, '')}`);
    }
  }

  next(afterMs: number): number | undefined {
    return this.#cron.nextRun(new Date(afterMs))?.getTime();
  }

  last(from: number, to: number, count: number): number[] {
    let found: number[] = [];
    for (let spanMs = FIRST_SPAN_MS; ; spanMs *= 2) {
      const start = Math.max(from, to - spanMs);
      const inSpan = this.#between(start, to, Math.max(3 * count, LEAST_MOST));
      // Too many for one turn of the event loop: those that are known are the last ones.
      if (inSpan === undefined) break;
      found = inSpan;
      if (found.length >= count || start === from) break;
    }
    return found.slice(-count);
  }

  /** Undefined when there are more than `most`. */
  #between(from: number, to: number, most: number): number[] | undefined {
    const found: number[] = [];
    for (let at = this.next(from - 1); at !== undefined && at <= to; at = this.next(at)) {
      if (found.length === most) return undefined;
      found.push(at);
    }
    return found;
  }
}
