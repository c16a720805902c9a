import { quoted } from '../../task/demands.js';
import { ExecgoError } from '../../task/errors.js';
import { namedResourcesText } from '../../task/named-resource.js';
import type { PlannedTask } from '../../task/plan.js';
import type { TaskRequest } from '../../task/request.js';
import { isNamedKey, resourceName } from '../../task/resources.js';
import type { Schedule } from '../schedule.js';

/** @throws ExecgoError `insufficient_resources` when it can never fit */
export function checkFits(
  { schedule }: { schedule: Schedule },
  request: TaskRequest,
  { reservation }: PlannedTask,
): void {
  const tenant = request.control_context?.tenant;
  const shortage = schedule.ledger.canEverFit({ reservation, tenant });
  if (shortage === undefined) return;
  const { resource, requested, capacity, scope } = shortage;
  const { resources } = schedule.ledger.capacity;
  if (scope === 'capacity' && capacity === 0 && isNamedKey(resource))
    throw new ExecgoError(
      'insufficient_resources',
      `insufficient resources: this machine has no resource ${quoted(resourceName(resource))}; it has ${namedResourcesText(resources)}`,
      { resource, requested, capacity, scope },
    );
  const whose = scope === 'quota' ? `the quota of tenant ${tenant ?? ''}` : 'the capacity of this machine';
  throw new ExecgoError(
    'insufficient_resources',
    `insufficient resources: ${resource} ${requested} is more than ${whose}, ${capacity}`,
    { resource, requested, capacity, scope },
  );
}
