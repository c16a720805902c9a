import type { TaskRecord } from '../../store/records.js';
import { ExecgoError } from '../../task/errors.js';

/**
 * Checked first by everything that changes or removes a task, even one that has ended.
 * @param owner value of `x-execgo-owner`
 * @throws ExecgoError `permission_denied` when the task has another owner
 */
export function checkOwner({ request }: TaskRecord, owner: string | undefined): void {
  checkOwnerIs(request.control_context?.owner, owner, 'task');
}

/**
 * As {@link checkOwner}, of whatever has an owner.
 * @param required the owner that it has, if any
 * @param details what the refusal is about
 */
export function checkOwnerIs(
  required: string | undefined,
  owner: string | undefined,
  what: 'task' | 'session',
  details?: object,
): void {
  // A header cannot carry blanks around a name.
  if (required === undefined || required.trim() === owner?.trim()) return;
  throw new ExecgoError(
    'permission_denied',
    `permission denied: x-execgo-owner does not match the owner of the ${what}`,
    details,
  );
}
