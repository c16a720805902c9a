import { plannedText, resolvePlan, type PlannedPart } from '../../sandbox/plan.js';
import type { TaskRecord } from '../../store/records.js';
import { ExecgoError, invalidInput } from '../../task/errors.js';
import type { NewEvent } from '../../task/events.js';
import { canNameDirectory } from '../../task/ids.js';
import { keptBytes } from '../../task/kept-bytes.js';
import type { ExecutionPlan, PlannedTask } from '../../task/plan.js';
import type { CapabilityMode, TaskRequest } from '../../task/request.js';
import type { Core, RuntimeSettings } from '../core.js';

type PlanningCore = Pick<Core, 'settings'>;

/** What a plan decides when the request does not. */
interface Decided {
  mode: CapabilityMode;
  wallTimeMs: number;
}

/**
 * The plan of a request on this host, with this daemon's settings.
 * @param decided what an earlier plan of the same task decided, instead of this daemon's defaults
 * @throws ExecgoError `unsupported_capability`; `permission_denied` for a root file system that is not allowed
 */
export function resolveTaskPlan(
  { settings }: PlanningCore,
  request: PlannedPart,
  decided: Partial<Decided> = {},
): PlannedTask {
  const { capabilities, defaultCapabilityMode, defaultWallTimeMs, taskUser, allowRootfs } = settings;
  const { mode = defaultCapabilityMode, wallTimeMs = defaultWallTimeMs } = decided;
  return resolvePlan(request, capabilities, { capabilityMode: mode, wallTimeMs, taskUser, allowRootfs });
}

/** The request as it is accepted: what it left open is decided now, and stays when the daemon's defaults change. */
export function withDecisions(
  request: TaskRequest,
  { resource_enforcement }: ExecutionPlan,
  { outputKeepBytes }: Pick<RuntimeSettings, 'outputKeepBytes'>,
): TaskRequest {
  const { limits } = request;
  // Not spread: V8 gives each such object a shape of its own, which takes more memory than what is in it.
  return Object.assign({}, request, {
    limits: Object.assign({}, limits, {
      wall_time_ms: resource_enforcement.wall_time_ms,
      stdout_keep_bytes: keptBytes(limits, 'stdout', outputKeepBytes),
      stderr_keep_bytes: keptBytes(limits, 'stderr', outputKeepBytes),
    }),
  });
}

/** The events that describe a plan. */
export function planEvents(plan: ExecutionPlan, atMs: number): NewEvent[] {
  const planned: NewEvent = { event_type: 'planned', timestamp_ms: atMs, data: plan };
  if (!plan.degraded) return [planned];
  const { fallback_reasons, effective_sandbox } = plan;
  return [
    planned,
    { event_type: 'degraded', timestamp_ms: atMs, data: { fallback_reasons, effective_sandbox } },
  ];
}

/**
 * The plan that a task which has not begun must run by, if it is not the one it has. A plan names mechanisms of the host and
 * settings of the daemon as they were when it was made, and a plan of the older runtime names none: run by it, the task
 * would lack what the plan claims. A task accepted under `strict` stays strict, whatever the default is now.
 * @param right what has been found so far; nothing may have changed since
 * @returns undefined when its plan and reservation are still right
 * @throws ExecgoError `unsupported_capability`, or `invalid_input` for a task of the older runtime that breaks our rules: it
 *   must not run
 */
export function planAnew(
  core: PlanningCore,
  record: TaskRecord,
  right?: RightPlans,
): PlannedTask | undefined {
  if (!canNameDirectory(record.task_id))
    throw invalidInput('task_id: cannot be the name of a directory, so that the task can have no files');
  if (record.request_problem !== undefined) throw new ExecgoError('invalid_input', record.request_problem);
  if (right?.has(record) === true) return undefined;
  const { plan, reservation } = record;
  const planned = resolveTaskPlan(core, asAsked(record), decidedBy(plan));
  const same = JSON.stringify(planned) === JSON.stringify({ plan, reservation });
  if (!same) return planned;
  right?.add(record);
  return undefined;
}

/**
 * A request that a waiting task gets in the place of its own, with the plan for it. What was decided of the one it has stays
 * decided, where the new one leaves it open, too.
 * @param edit makes the new request
 * @throws ExecgoError as {@link resolveTaskPlan} does; `invalid_input` for a task that must not run
 */
export function planEdited(
  core: PlanningCore,
  record: TaskRecord,
  edit: (before: TaskRequest) => TaskRequest,
): { request: TaskRequest; planned: PlannedTask } {
  if (record.request_problem !== undefined) throw new ExecgoError('invalid_input', record.request_problem);
  const request = edit(asAsked(record));
  return { request, planned: resolveTaskPlan(core, request, decidedBy(record.plan)) };
}

/** Plans that are still right, so that of many tasks that are alike one is planned. */
export class RightPlans {
  readonly #known = new Map<ExecutionPlan | null, Set<string>>();

  has(record: TaskRecord): boolean {
    return this.#known.get(record.plan)?.has(textOf(record)) === true;
  }

  /** @param record what {@link planAnew} has found right */
  add(record: TaskRecord): void {
    const texts = this.#known.get(record.plan) ?? new Set();
    this.#known.set(record.plan, texts.add(textOf(record)));
  }
}

/** All that {@link planAnew} looks at beside the plan, but whether the task may run at all. */
function textOf({ request, reservation }: TaskRecord): string {
  return plannedText(request) + JSON.stringify(reservation);
}

/** Only the plan of the older runtime says whether `strict` was requested. */
function decidedBy(plan: ExecutionPlan | null): Partial<Decided> {
  const mode: unknown = plan?.capability_mode;
  return {
    ...(mode === 'strict' || mode === 'adaptive' ? { mode } : {}),
    ...(isDefaultWallTime(plan) ? { wallTimeMs: plan.resource_enforcement.wall_time_ms } : {}),
  };
}

/** The request without what {@link withDecisions} has added. */
function asAsked({ request, plan }: TaskRecord): TaskRequest {
  return isDefaultWallTime(plan)
    ? { ...request, limits: { ...request.limits, wall_time_ms: undefined } }
    : request;
}

function isDefaultWallTime(plan: ExecutionPlan | null): plan is ExecutionPlan {
  // A plan of the older runtime may be any JSON.
  const held = (plan as Partial<ExecutionPlan> | null)?.resource_enforcement;
  return held?.wall_time_source === 'default' && Number.isSafeInteger(held.wall_time_ms);
}
