import { resolvePlan } from '../../sandbox/plan.js';
import type { TaskRecord } from '../../store/records.js';
import { ExecgoError, invalidInput } from '../../task/errors.js';
import type { NewEvent } from '../../task/events.js';
import { canNameDirectory } from '../../task/ids.js';
import { keptBytes } from '../../task/kept-bytes.js';
import type { ExecutionPlan, PlannedTask } from '../../task/plan.js';
import type { CapabilityMode, TaskRequest } from '../../task/request.js';
import type { Core, RuntimeSettings } from '../core.js';

type PlanningCore = Pick<Core, 'settings'>;

/** What a plan decides for a request that says nothing. */
interface Decided {
  mode: CapabilityMode;
  wallTimeMs: number;
}

/**
 * The plan of a request on this host, with this daemon's settings.
 * @param decided what an earlier plan of the same task decided, in the place of this daemon's defaults
 * @throws ExecgoError `unsupported_capability`; `permission_denied` for a root file system that is not allowed
 */
export function resolveTaskPlan(
  { settings }: PlanningCore,
  request: TaskRequest,
  decided: Partial<Decided> = {},
): PlannedTask {
  const { capabilities, defaultCapabilityMode, defaultWallTimeMs, taskUser, allowRootfs } = settings;
  const { mode = defaultCapabilityMode, wallTimeMs = defaultWallTimeMs } = decided;
  return resolvePlan(request, capabilities, { capabilityMode: mode, wallTimeMs, taskUser, allowRootfs });
}

/** The request as it is accepted: what it left to this daemon is decided now, and stays when the defaults change. */
export function withDecisions(
  request: TaskRequest,
  { resource_enforcement }: ExecutionPlan,
  { outputKeepBytes }: Pick<RuntimeSettings, 'outputKeepBytes'>,
): TaskRequest {
  const { limits } = request;
  return {
    ...request,
    limits: {
      ...limits,
      wall_time_ms: resource_enforcement.wall_time_ms,
      stdout_keep_bytes: keptBytes(limits, 'stdout', outputKeepBytes),
      stderr_keep_bytes: keptBytes(limits, 'stderr', outputKeepBytes),
    },
  };
}

/** The events that tell a plan. */
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
 * The plan that a task which has not begun must run by, where that is not the one it has. A plan names mechanisms of the
 * host and settings of the daemon as they were when it was made, and that of the older runtime names none: run by it,
 * the task would lack what it claims. Under `strict` it stays strict, whatever the default is now.
 * @returns undefined where the plan and the reservation that it has are right
 * @throws ExecgoError `unsupported_capability`, or `invalid_input` for a task that an older runtime accepted against our
 * rules: it must not run at all
 */
export function planAnew(core: PlanningCore, record: TaskRecord): PlannedTask | undefined {
  if (!canNameDirectory(record.task_id))
    throw invalidInput('task_id: cannot be the name of a directory, so that the task can have no files');
  if (record.request_problem !== undefined) throw new ExecgoError('invalid_input', record.request_problem);
  const { plan, reservation } = record;
  const planned = resolveTaskPlan(core, asAsked(record), decidedBy(plan));
  const same = JSON.stringify(planned) === JSON.stringify({ plan, reservation });
  return same ? undefined : planned;
}

/** The older runtime kept nowhere else whether `strict` was asked for. */
function decidedBy(plan: ExecutionPlan | null): Partial<Decided> {
  const mode: unknown = plan?.capability_mode;
  return {
    ...(mode === 'strict' || mode === 'adaptive' ? { mode } : {}),
    ...(isDefaultWallTime(plan) ? { wallTimeMs: plan.resource_enforcement.wall_time_ms } : {}),
  };
}

/** The request without what {@link withDecisions} has put into it. */
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
