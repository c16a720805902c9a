import type { StoredRun } from '../../store/schedule-table.js';
import { isError } from '../../store/stored-shapes.js';
import { invalidInput } from '../../task/errors.js';
import {
  NEXT_TIMES_SHOWN,
  RUNS_SHOWN,
  type SchedulePage,
  type ScheduleRun,
  type ScheduleSummary,
  type ScheduleView,
} from '../../task/schedules.js';
import { validateSubmission } from '../../task/validate.js';
import { timestamp } from '../views/timestamp.js';
import { scheduleOf, taskOf, type ScheduleCore } from './change.js';
import { comingTimes } from './due-times.js';
import type { ScheduleEntry } from './schedule-entry.js';

/** A schedule as it is now, with its last runs. @throws ExecgoError `not_found` */
export function scheduleView(core: ScheduleCore, name: string): ScheduleView {
  const entry = scheduleOf(core, name);
  const { stored, times, problem } = entry;
  const { next_due_ms, paused } = stored;
  const task = taskOf(core, entry);
  const later =
    paused || next_due_ms === undefined ? [] : comingTimes(times, next_due_ms, NEXT_TIMES_SHOWN - 1);
  const summary = summaryOf(core, entry);
  const warnings = [...(problem === undefined ? [] : [problem]), ...warningsOf(task)];
  return {
    ...summary,
    task,
    next: [...summary.next, ...later.map(timestamp)],
    runs: runsOf(core, stored.schedule_id, RUNS_SHOWN),
    warnings: warnings.length > 0 ? warnings : undefined,
  };
}

/** The schedules by name; of each its last run. @throws ExecgoError `invalid_input` for a cursor that no page had */
export function schedulePage(
  core: ScheduleCore,
  { limit, cursor }: { limit: number; cursor?: string | undefined },
): SchedulePage {
  const after = cursor === undefined ? '' : Buffer.from(cursor, 'base64url').toString();
  if (cursor !== undefined && Buffer.from(after).toString('base64url') !== cursor)
    throw invalidInput('cursor: is not one that a list returned');
  const rest = core.schedules.names().filter((name) => name > after);
  const page = rest.slice(0, limit);
  return {
    generated_at: timestamp(core.now()),
    schedules: page.map((name) => summaryOf(core, scheduleOf(core, name))),
    next_cursor:
      page.length === rest.length ? undefined : Buffer.from(page.at(-1) ?? '').toString('base64url'),
  };
}

function summaryOf(core: ScheduleCore, { stored, spec, running, problem }: ScheduleEntry): ScheduleSummary {
  const { next_due_ms, paused } = stored;
  return {
    name: stored.name,
    version: stored.version,
    ...spec,
    paused,
    created_at: timestamp(stored.created_at_ms),
    updated_at: timestamp(stored.updated_at_ms),
    next: paused || next_due_ms === undefined ? [] : [timestamp(next_due_ms)],
    running: [...running],
    runs: runsOf(core, stored.schedule_id, 1),
    warnings: problem === undefined ? undefined : [problem],
  };
}

function runsOf({ store }: Pick<ScheduleCore, 'store'>, scheduleId: number, count: number): ScheduleRun[] {
  return store.schedules.runs(scheduleId, count).map((run) => runView(store, run));
}

function warningsOf(task: unknown): string[] {
  try {
    return validateSubmission(task).warnings;
  } catch {
    return ['its task is not one that can be submitted'];
  }
}

function runView(store: ScheduleCore['store'], run: StoredRun): ScheduleRun {
  const { due_ms, at_ms, outcome, task_id, manual, count, detail } = run;
  return {
    due_at: timestamp(due_ms),
    at: timestamp(at_ms),
    outcome,
    task_id: task_id ?? undefined,
    status: task_id === null ? undefined : store.tasks.status(task_id),
    manual: manual ? true : undefined,
    count: count ?? undefined,
    ...(typeof detail === 'string' ? { detail } : {}),
    ...(isError(detail) ? { error: detail } : {}),
  };
}
