import type { PlannedTask } from '../../task/plan.js';
import type { TaskRequest } from '../../task/request.js';
import { checkFits } from './check-fits.js';
import { checkParent } from './check-parent.js';
import { checkConflict } from './conflicts.js';
import { checkGroup, checkGroupRules } from './groups.js';
import { resolveTaskPlan } from './plan.js';
import { checkSession } from './session.js';
import {
  checkDemands,
  checkFollowing,
  checkRoomToWait,
  validated,
  type Intake,
  type SubmittingCore,
} from './submit.js';

/** The plan and the reservation, or the refusal, without accepting anything. */
export function dryRun(core: SubmittingCore, body: unknown): PlannedTask {
  const { request } = validated(core, body);
  return checkRequest(core, request, {});
}

/** As {@link dryRun}, and whether there is room for it to wait. */
export function checkSubmit(
  core: SubmittingCore,
  intake: Intake,
  body: unknown,
  how: { isRerun?: boolean },
): void {
  const { request } = validated(core, body);
  checkRequest(core, request, how);
  checkRoomToWait(core, intake, {
    request,
    past_attempts: 0,
    awaits: core.dependants.mustWait(request.policy.after),
  });
}

function checkRequest(
  core: SubmittingCore,
  request: TaskRequest,
  { isRerun = false }: { isRerun?: boolean },
): PlannedTask {
  checkSession(core, request);
  const planned = resolveTaskPlan(core, request);
  checkParent(core, request);
  checkFollowing(core, request);
  checkDemands(core, request);
  checkFits(core, request, planned);
  checkConflict(core.live, request);
  checkGroupRules(core, request);
  if (!isRerun) checkGroup(core, request);
  core.dependants.openOf(request.task_id, request.policy.after);
  return planned;
}
