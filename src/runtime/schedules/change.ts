import { crashPoint } from '../../executor/crash-point.js';
import type { ScheduleState } from '../../store/schedule-table.js';
import { ExecgoError } from '../../task/errors.js';
import { mergePatch } from '../../task/merge-patch.js';
import type { TaskSubmission } from '../../task/request.js';
import { ScheduleBody, ScheduleEdit, ScheduleRequest, type ScheduleSpec } from '../../task/schedules.js';
import { checkShape } from '../../task/shape.js';
import { invalidInputFrom } from '../../task/validate.js';
import type { SubmitAnswer } from '../../task/view.js';
import { dryRun } from '../lifecycle/dry-run.js';
import { submit, type Intake } from '../lifecycle/submit.js';
import { bodyOfDue } from './body-of-due.js';
import { dueTimesOf } from './due-times.js';
import type { ScheduleEntry } from './schedule-entry.js';
import type { Schedules, SchedulingCore } from './schedules.js';

/** What the change of a schedule works with. */
export type ScheduleCore = SchedulingCore & { schedules: Schedules };

/** How many schedules there may be: each costs memory. */
const SCHEDULES_MAX = 1000;
/** What the body of a task may be long, in bytes of its JSON: the limit for the body of a submit. */
const TASK_MAX_BYTES = 2_097_152;

/**
 * Makes a schedule; it is durable and in force when this returns.
 * @returns its name
 * @throws ExecgoError `invalid_input`; what a submit of its task would throw now; `conflict` when the name is taken;
 *   `resource_limit_exceeded` when there are too many
 */
export async function makeSchedule(core: ScheduleCore, body: unknown): Promise<string> {
  const { schedules, store, now } = core;
  checkShape(body);
  const parsed = ScheduleRequest.safeParse(body);
  if (!parsed.success) throw invalidInputFrom(parsed.error);
  const { name, task: _task, paused, ...spec } = parsed.data;
  const { task } = body as { task: TaskSubmission };
  checkTask(core, task);
  if (schedules.size >= SCHEDULES_MAX)
    throw new ExecgoError(
      'resource_limit_exceeded',
      `there are ${SCHEDULES_MAX} schedules, which is the most; delete one that is not needed`,
      { bound: 'schedules', limit: SCHEDULES_MAX },
    );
  const state = stateOf(spec, { task, paused, at_ms: now(), anchor_ms: now() });
  const stored = await store.commits.write(() => {
    const inserted = store.schedules.insert(name, state);
    crashPoint('before_schedule_commit');
    return inserted;
  });
  crashPoint('after_schedule_commit');
  if (stored === undefined)
    throw new ExecgoError('conflict', `schedule already exists: ${name}`, { schedule: name });
  core.log.info({ schedule: name }, 'a schedule is made');
  schedules.set(stored);
  return name;
}

/**
 * Changes a schedule by a merge patch. When another time comes, it counts from now on: what was missed until then does not come any more.
 * @param owner value of `x-execgo-owner`
 * @throws ExecgoError as {@link makeSchedule}; `not_found`, `permission_denied`; `conflict` when it has another version than
 *   the body names, or somebody else changes it at the same time
 */
export async function editSchedule(
  core: ScheduleCore,
  name: string,
  body: unknown,
  owner: string | undefined,
): Promise<void> {
  const { schedules, store, now } = core;
  const entry = scheduleOf(core, name);
  const before = taskOf(core, entry);
  checkScheduleOwner(before, owner);
  checkShape(body);
  const parsed = ScheduleEdit.safeParse(body);
  if (!parsed.success) throw invalidInputFrom(parsed.error);
  const { if_version } = parsed.data;
  const { stored } = entry;
  if (if_version !== undefined && if_version !== stored.version) throw changedMeanwhile(entry);
  const { if_version: _version, ...patch } = body as ScheduleEdit;
  const wanted = ScheduleBody.safeParse(
    mergePatch({ ...entry.spec, paused: stored.paused, task: before }, withOneTiming(patch)),
  );
  if (!wanted.success) throw invalidInputFrom(wanted.error);
  const { task: _task, paused, ...spec } = wanted.data;
  const task = mergePatch(before, patch.task ?? {}) as TaskSubmission;
  if (patch.task !== undefined) checkTask(core, task);
  const isSameTiming = timingOf(spec) === timingOf(entry.spec);
  const at_ms = now();
  const kept = { task, paused, at_ms, anchor_ms: isSameTiming ? stored.anchor_ms : at_ms };
  // It is refused before anything is written.
  stateOf(spec, kept);
  const goesOn = isSameTiming && paused === stored.paused;
  const changed = await store.commits.write(() => {
    const { next_due_ms, last_due_ms } = store.schedules.progress(stored.schedule_id);
    // By a clock that was set back a due time might come again.
    const anew = stateOf(spec, kept, Math.max(at_ms, last_due_ms ?? at_ms));
    const state = goesOn ? { ...anew, next_due_ms: next_due_ms ?? undefined } : anew;
    const updated = store.schedules.update(stored, state);
    crashPoint('before_schedule_commit');
    return updated;
  });
  crashPoint('after_schedule_commit');
  if (changed === undefined) throw changedMeanwhile(entry);
  core.log.info({ schedule: name }, 'a schedule is changed');
  schedules.set(changed);
}

/**
 * Deletes a schedule with its history. Its tasks stay, and go on; due times that wait are not submitted any more.
 * @param owner value of `x-execgo-owner`
 * @throws ExecgoError `not_found`, `permission_denied`
 */
export async function deleteSchedule(
  core: ScheduleCore,
  name: string,
  owner: string | undefined,
): Promise<void> {
  const { schedules, store } = core;
  const entry = scheduleOf(core, name);
  checkScheduleOwner(taskOf(core, entry), owner);
  const deleted = await store.commits.write(() => {
    const done = store.schedules.delete(entry.stored.schedule_id);
    crashPoint('before_schedule_removal');
    return done;
  });
  crashPoint('after_schedule_removal');
  if (!deleted) throw notFound(name);
  core.log.info({ schedule: name }, 'a schedule is deleted');
  schedules.delete(entry);
}

/**
 * Submits the task of a schedule now, whatever it says of overlaps, and also while it is paused.
 * @param owner value of `x-execgo-owner`
 * @throws ExecgoError `not_found`, `permission_denied`, and what a submit throws
 */
export async function runSchedule(
  core: ScheduleCore,
  intake: Intake,
  name: string,
  owner: string | undefined,
): Promise<SubmitAnswer> {
  const entry = scheduleOf(core, name);
  const task = taskOf(core, entry);
  checkScheduleOwner(task, owner);
  const dueMs = core.now();
  const body = bodyOfDue(task, { name, task_id: intake.newId(), dueMs });
  const answer = await submit(core, intake, body, {
    check: (taskId) => {
      core.store.schedules.addManual(entry.stored.schedule_id, taskId, dueMs);
    },
  });
  core.schedules.started(entry, answer.task_id);
  return answer;
}

/** @throws ExecgoError `not_found` */
export function scheduleOf({ schedules }: Pick<ScheduleCore, 'schedules'>, name: string): ScheduleEntry {
  const entry = schedules.get(name);
  if (entry === undefined) throw notFound(name);
  return entry;
}

/** The submit body of a schedule. @throws ExecgoError `not_found` */
export function taskOf(
  { store }: Pick<ScheduleCore, 'store'>,
  { stored, name }: ScheduleEntry,
): TaskSubmission {
  const task = store.schedules.task(stored.schedule_id);
  if (task === undefined) throw notFound(name);
  return JSON.parse(task) as TaskSubmission;
}

function notFound(schedule: string): ExecgoError {
  return new ExecgoError('not_found', `schedule not found: ${schedule}`, { schedule });
}

function changedMeanwhile({ name, stored: { version } }: ScheduleEntry): ExecgoError {
  return new ExecgoError('conflict', `schedule ${name} has version ${version}: it has been changed since`, {
    version,
  });
}

/** Whoever alone may cancel its tasks may alone change it. @throws ExecgoError `permission_denied` */
function checkScheduleOwner({ control_context: context }: TaskSubmission, owner: string | undefined): void {
  const required = context?.owner;
  if (typeof required !== 'string' || required.trim() === owner?.trim()) return;
  throw new ExecgoError(
    'permission_denied',
    'permission denied: x-execgo-owner does not match the owner of its tasks',
  );
}

/** @throws what a submit would */
function checkTask(core: ScheduleCore, task: TaskSubmission): void {
  dryRun(core, task);
  if (Buffer.byteLength(JSON.stringify(task)) > TASK_MAX_BYTES)
    throw new ExecgoError(
      'payload_too_large',
      `payload too large: the task has more than ${TASK_MAX_BYTES} bytes`,
    );
}

/** One of `cron` and `interval_ms` takes the place of the other. */
function withOneTiming<P extends { cron?: unknown; interval_ms?: unknown }>(patch: P): P {
  const isGiven = (value: unknown) => value !== undefined && value !== null;
  if (isGiven(patch.cron) && patch.interval_ms === undefined) return { ...patch, interval_ms: null };
  if (isGiven(patch.interval_ms) && patch.cron === undefined) return { ...patch, cron: null, timezone: null };
  return patch;
}

function timingOf({ cron, interval_ms, timezone, jitter_ms }: ScheduleSpec): string {
  return JSON.stringify([cron, interval_ms, timezone, jitter_ms]);
}

/**
 * @param afterMs the next due time comes after it
 * @throws ExecgoError `invalid_input` for times that cannot be understood, or never come
 */
function stateOf(
  spec: ScheduleSpec,
  kept: { task: TaskSubmission; paused: boolean; at_ms: number; anchor_ms: number },
  afterMs = kept.at_ms,
): ScheduleState {
  const { task, paused, at_ms, anchor_ms } = kept;
  const next = dueTimesOf(spec, anchor_ms).next(afterMs);
  if (next === undefined)
    throw new ExecgoError('invalid_input', 'invalid input: cron: there is no such time');
  return {
    spec,
    task: JSON.stringify(task),
    paused,
    anchor_ms,
    at_ms,
    next_due_ms: paused ? undefined : next,
  };
}
