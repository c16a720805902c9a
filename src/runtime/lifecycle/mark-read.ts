import { crashPoint } from '../../executor/crash-point.js';
import { invalidInput, taskNotFound } from '../../task/errors.js';
import { validateReadMark, type ReadMark } from '../../task/read-mark.js';
import type { Core } from '../core.js';
import { taskRecord } from '../status.js';

/**
 * Writes down up to which version a reader has seen a task: the present one, unless the body names another.
 * @throws ExecgoError `invalid_input` also for a version that the task has not had; `not_found`; `resource_limit_exceeded` when
 *   it has as many readers as it may
 */
export async function markRead(
  core: Pick<Core, 'live' | 'store'>,
  taskId: string,
  reader: string,
  body: unknown,
): Promise<ReadMark> {
  const { version: given } = validateReadMark(reader, body);
  const mark = await core.store.commits.write(() => {
    const present = taskRecord(core, taskId).version;
    if (!core.store.tasks.has(taskId)) throw taskNotFound(taskId);
    const version = given ?? present;
    if (version > present)
      throw invalidInput(`version: the task has version ${present}, and has never had ${version}`);
    core.store.readMarks.set(reader, taskId, version);
    crashPoint('before_read_commit');
    return { task_id: taskId, reader, version };
  });
  crashPoint('after_read_commit');
  return mark;
}
