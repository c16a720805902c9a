import { CONDITIONS, type Condition } from '../task/dependencies.js';
import { ERROR_STATUS, type ErrorCode } from '../task/error-codes.js';
import { isTaskId } from '../task/ids.js';
import { MESSAGE_MAX, type KeptProgress } from '../task/progress.js';
import type { ErrorBody } from '../task/error-body.js';
import type { ExecutionPlan } from '../task/plan.js';
import type { GroupNotify, Notify } from '../task/notify.js';
import { ON_CONFLICT, type TaskRequest } from '../task/request.js';
import type { KillNote } from '../task/kill-note.js';
import { RESOURCE_KEYS, type ResourceItems, type Resources } from '../task/resources.js';
import { isTerminal, TASK_STATUSES } from '../task/states.js';
import { isPlainObject } from '../task/plain-object.js';

/**
 * Checks of JSON from the database before the rest of the program relies on its type. They check only what others use: full
 * validation would be too slow for every row of a list.
 */

const isText = (value: unknown): value is string => typeof value === 'string';
const isAmount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
const isNotNegative = (value: unknown) => Number.isFinite(value) && (value as number) >= 0;
const isAbsentOr = (is: (value: unknown) => boolean, value: unknown) => value === undefined || is(value);
const isTextMap = (value: unknown) => isPlainObject(value) && Object.values(value).every(isText);

export function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isText);
}

/** One of the codes that there are now. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return isText(value) && Object.hasOwn(ERROR_STATUS, value);
}

export function isError(value: unknown): value is ErrorBody {
  return isPlainObject(value) && isErrorCode(value.code) && isText(value.message);
}

export function isKillNote(value: unknown): value is KillNote {
  return isPlainObject(value) && isAbsentOr(isText, value.reason) && isAbsentOr(isText, value.by);
}

export function isReservation(value: unknown): value is Resources {
  if (!isPlainObject(value) || !isAmount(value.task_slots)) return false;
  return (
    RESOURCE_KEYS.every((key) => isAbsentOr(isAmount, value[key])) && isAbsentOr(areAmounts, value.resources)
  );
}

/** How much of each named resource. */
function areAmounts(value: unknown): value is Record<string, number> {
  return isPlainObject(value) && Object.values(value).every(isAmount);
}

export function isItems(value: unknown): value is ResourceItems {
  return isPlainObject(value) && Object.values(value).every(isTexts);
}

/** What is kept of how far a task is. */
export function isProgress(value: unknown): value is KeptProgress {
  if (!isPlainObject(value)) return false;
  const { percent, done, total, message, at_ms } = value;
  return (
    [percent, done, total].every((each) => isAbsentOr(isNotNegative, each)) &&
    (percent === undefined || Number(percent) <= 100) &&
    isAbsentOr((text) => isText(text) && text.length <= MESSAGE_MAX, message) &&
    Number.isSafeInteger(at_ms) &&
    Math.abs(Number(at_ms)) <= 8.64e15
  );
}

export function isPlan(value: unknown): value is ExecutionPlan {
  if (!isPlainObject(value)) return false;
  const { capability_mode, requested_sandbox, effective_sandbox, resource_enforcement } = value;
  return (
    (capability_mode === 'strict' || capability_mode === 'adaptive') &&
    isPlainObject(requested_sandbox) &&
    isPlainObject(effective_sandbox) &&
    isAbsentOr((chroot) => typeof chroot === 'boolean', effective_sandbox.chroot) &&
    isPlainObject(resource_enforcement) &&
    isAmount(resource_enforcement.wall_time_ms)
  );
}

/** A request as we write it down. */
export function isRequest(value: unknown): value is TaskRequest {
  if (!isPlainObject(value)) return false;
  const { execution, limits, sandbox, policy, control_context: context, metadata, in_session } = value;
  return (
    isExecution(execution) &&
    isPlainObject(limits) &&
    areLimits(limits) &&
    isPlainObject(sandbox) &&
    isAbsentOr(isText, sandbox.workspace_subdir) &&
    isPlainObject(policy) &&
    Number.isSafeInteger(policy.priority) &&
    isAbsentOr(isRetryPolicy, policy.retry) &&
    isAbsentOr(areNotifies, policy.notify) &&
    isAbsentOr(areGroupNotifies, policy.group_notify) &&
    isAbsentOr(isTime, policy.start_at) &&
    isAbsentOr(isAfter, policy.after) &&
    isAbsentOr(isConcurrency, policy.concurrency) &&
    isAbsentOr(areFollowUps, policy.on_end) &&
    isTextMap(metadata) &&
    isAbsentOr(isContext, context) &&
    (in_session === undefined || (isPlainObject(context) && isSessionId(context.session_id)))
  );
}

/** The id of a session is the name of a directory. */
const isSessionId = (value: unknown) => isText(value) && isTaskId(value);

/** Limits of a request or of a queue, each a number but for those of named resources. */
export function areLimits({ resources, ...limits }: Record<string, unknown>): boolean {
  return Object.values(limits).every(isAmount) && isAbsentOr(areAmounts, resources);
}

function isRetryPolicy(value: unknown): boolean {
  if (!isPlainObject(value)) return false;
  const { on, exit_codes, max_attempts, backoff_ms, factor, max_backoff_ms, memory_factor } = value;
  return (
    [max_attempts, backoff_ms].every(isAmount) &&
    Number.isFinite(factor) &&
    isAbsentOr(isAmount, max_backoff_ms) &&
    isAbsentOr(Number.isFinite, memory_factor) &&
    isAbsentOr(Array.isArray, on) &&
    isAbsentOr(Array.isArray, exit_codes)
  );
}

/** What a request or a queue says of whom to tell. */
export function areNotifies(value: unknown): value is Notify[] {
  return (
    Array.isArray(value) &&
    value.every(
      (each) =>
        isPlainObject(each) &&
        isAbsentOr(isTexts, each.when) &&
        isPlainObject(each.webhook) &&
        isText(each.webhook.url) &&
        isAbsentOr(isText, each.webhook.secret_ref),
    )
  );
}

/** What a request or a group says of whom to tell when the group is done. */
export function areGroupNotifies(value: unknown): value is GroupNotify[] {
  return areNotifies(value) && value.every(({ when }) => when?.every((word) => ENDED.has(word)) !== false);
}

const ENDED: ReadonlySet<string> = new Set(TASK_STATUSES.filter(isTerminal));

function isTime(value: unknown): boolean {
  return typeof value === 'string' && !Number.isNaN(Date.parse(value));
}

function areFollowUps(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every((each) => isPlainObject(each) && isAbsentOr(isTexts, each.when) && isPlainObject(each.submit))
  );
}

function isExecution(value: unknown): boolean {
  if (!isPlainObject(value)) return false;
  const { kind, program, args, script, interpreter, cwd, env } = value;
  return (
    (kind === 'command' || kind === 'script') &&
    [program, script, cwd].every((each) => isAbsentOr(isText, each)) &&
    isTexts(args) &&
    isAbsentOr(isTexts, interpreter) &&
    isTextMap(env)
  );
}

function isConcurrency(value: unknown): boolean {
  const words: readonly unknown[] = ON_CONFLICT;
  return (
    isPlainObject(value) && isText(value.key) && isAmount(value.limit) && words.includes(value.on_conflict)
  );
}

function isAfter(value: unknown): value is Condition[] {
  const words: readonly unknown[] = CONDITIONS;
  return (
    Array.isArray(value) &&
    value.every((each) => isPlainObject(each) && isText(each.task_id) && words.includes(each.when))
  );
}

function isContext(value: unknown): boolean {
  if (!isPlainObject(value)) return false;
  const { labels, ...names } = value;
  return isTextMap(labels) && Object.values(names).every((each) => isText(each) || typeof each === 'boolean');
}
