import { resolvePlan } from '../sandbox/plan.js';
import type { PlannedTask } from '../task/plan.js';
import type { TaskRequest } from '../task/request.js';
import type { Core } from './core.js';

/**
 * The plan of a request on this host, with this daemon's defaults.
 * @throws ExecgoError `unsupported_capability`
 */
export function resolveTaskPlan(core: Core, request: TaskRequest): PlannedTask {
  const { capabilities, defaultCapabilityMode, taskUser } = core.settings;
  return resolvePlan(request, capabilities, { capabilityMode: defaultCapabilityMode, taskUser });
}
