import { endOf, type TaskRecord } from '../../store/records.js';
import type { Store } from '../../store/store.js';
import type { FollowUpView } from '../../task/follow-up-view.js';
import { optionalTime } from './timestamp.js';

/** The tasks that follow the end of a task; undefined where there are none. */
export function followUpsView(
  { sequels }: Pick<Store, 'sequels'>,
  task: TaskRecord,
): FollowUpView[] | undefined {
  const count = endOf(task)?.follow_ups ?? 0;
  if (count === 0) return undefined;
  return sequels.followUps
    .ofTask(task.task_id)
    .map(({ state, next_task_id, attempts, settled_at_ms, error }) => ({
      state,
      task_id: next_task_id ?? undefined,
      attempts,
      settled_at: optionalTime(settled_at_ms ?? undefined),
      error: error ?? undefined,
    }));
}
