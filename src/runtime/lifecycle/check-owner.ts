import type { TaskRecord } from '../../store/records.js';
import { ExecgoError } from '../../task/errors.js';

/**
 * Checked first by everything that changes or removes a task, even one that has ended.
 * @param owner value of `x-execgo-owner`
 * @throws ExecgoError `permission_denied` when the task has another owner
 */
export function checkOwner({ request }: TaskRecord, owner: string | undefined): void {
  const required = request.control_context?.owner;
  // A header cannot carry blanks around a name.
  if (required === undefined || required.trim() === owner?.trim()) return;
  throw new ExecgoError(
    'permission_denied',
    'permission denied: x-execgo-owner does not match the owner of the task',
  );
}
