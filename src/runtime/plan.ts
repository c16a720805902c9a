import { resolvePlan } from '../sandbox/plan.js';
import type { ExecutionPlan, PlannedTask } from '../task/plan.js';
import type { TaskRequest } from '../task/request.js';
import type { Core, RuntimeSettings } from './core.js';

/**
 * The plan of a request on this host, with this daemon's defaults.
 * @throws ExecgoError `unsupported_capability`
 */
export function resolveTaskPlan(core: Core, request: TaskRequest): PlannedTask {
  const { capabilities, defaultCapabilityMode, defaultWallTimeMs, taskUser } = core.settings;
  const defaults = { capabilityMode: defaultCapabilityMode, wallTimeMs: defaultWallTimeMs, taskUser };
  return resolvePlan(request, capabilities, defaults);
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
      stdout_keep_bytes: limits.stdout_keep_bytes ?? Math.max(outputKeepBytes, limits.stdout_max_bytes),
      stderr_keep_bytes: limits.stderr_keep_bytes ?? Math.max(outputKeepBytes, limits.stderr_max_bytes),
    },
  };
}
