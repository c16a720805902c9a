import { ExecgoError, invalidInput } from '../../task/errors.js';
import type { TaskRequest } from '../../task/request.js';
import { ANCESTORS_MAX } from '../../store/family.js';
import type { Core } from '../core.js';

const FIELD = 'control_context.parent_task_id';

/**
 * Refuses a task that cannot be a child of the one that it names. To be called again in the transaction that writes it down, so
 * that none comes to a task that is being killed with its children.
 * @throws ExecgoError `invalid_input` when there is no such task of its tenant, or too many above it; `conflict` when that was killed with its children
 */
export function checkParent(
  { live, store }: Pick<Core, 'live' | 'store'>,
  { control_context: context }: TaskRequest,
): void {
  const parentId = context?.parent_task_id;
  if (parentId === undefined) return;
  const parent = live.get(parentId)?.record ?? store.tasks.get(parentId);
  const above = parent === undefined ? undefined : store.family.ancestry(parentId);
  if (above === undefined || parent?.request.control_context?.tenant !== context?.tenant)
    throw invalidInput(`${FIELD}: there is no task ${parentId} of this tenant`, [
      { field: FIELD, problem: `there is no task ${parentId} of this tenant` },
    ]);
  if (above.count > ANCESTORS_MAX)
    throw invalidInput(`${FIELD}: ${parentId} has ${ANCESTORS_MAX} tasks above it, which is the most`);
  if (above.isKilled)
    throw new ExecgoError('conflict', `task ${parentId} was killed with its children, and can have no more`, {
      parent_task_id: parentId,
    });
}
