import type { ScheduleRun, ScheduleSummary, ScheduleView } from '../client/index.js';
import { isTerminal, paint, paintStatus, plain } from './terminal.js';
import { formatDuration } from './units.js';
import { printJson, printLines } from './write.js';

/** What was typed for the fields of a schedule; those of its task are those of a request. */
export const SCHEDULE_FLAGS = {
  name: 'the name',
  cron: 'the cron expression',
  interval_ms: '--every',
  timezone: '--timezone',
  overlap: '--overlap',
  catch_up: '--catch-up',
  catch_up_max: '--catch-up-max',
  grace_ms: '--grace',
  jitter_ms: '--jitter',
};

/** Prints a schedule as JSON; on a terminal, in one line. */
export async function printSchedule(view: ScheduleView, json: boolean): Promise<void> {
  if (json || !isTerminal()) await printJson(view);
  else await printLines([scheduleLine(view, Date.now())]);
}

/** `0 3 * * * Europe/Berlin`, `every 10m0s`. */
export function whenText({ cron, interval_ms: every, timezone }: ScheduleSummary): string {
  if (every !== undefined) return `every ${formatDuration(every)}`;
  return plain([cron, timezone ?? 'UTC'].join(' '));
}

/** @param now Unix time in milliseconds */
export function nextText({ paused, next: [next] }: ScheduleSummary, now: number): string {
  if (paused) return 'paused';
  return next === undefined ? 'never' : `${next} (in ${formatDuration(Math.max(0, Date.parse(next) - now))})`;
}

/** A schedule on one line. */
export function scheduleLine(view: ScheduleSummary, now: number): string {
  const next = view.paused ? paint('yellow', 'paused') : `next ${nextText(view, now)}`;
  return `${paint('bold', plain(view.name))}: ${whenText(view)}, ${next}`;
}

/** What became of a due time, on one line. */
export function runLine(run: ScheduleRun): string {
  const { due_at, outcome, manual, task_id, status, count, detail, error } = run;
  const words = [
    manual === true ? `${due_at} (asked for)` : due_at,
    count === undefined ? outcome : `${outcome} ${String(count)}`,
    ...(task_id === undefined ? [] : [plain(task_id)]),
    ...(status === undefined ? [] : [paintStatus(status)]),
    ...(detail === undefined ? [] : [plain(detail)]),
    ...(error === undefined ? [] : [plain(error.message)]),
  ];
  return words.join('  ');
}
