import type { LiveRecord, TaskEnd } from '../../store/records.js';
import type { Store } from '../../store/store.js';
import { isMeant } from '../../task/notify.js';
import type { FollowUpBody } from '../../task/on-end.js';

/** How long one is tried to be submitted, in milliseconds. */
const MAX_AGE_MS = 86_400_000;

const NOTHING: readonly FollowUpBody[] = [];

/** What is to be submitted when a task has ended so. Where nothing is, as for most tasks, that costs next to nothing. */
export function followUpsOf(
  { request }: LiveRecord,
  end: Pick<TaskEnd, 'status' | 'cause'>,
): readonly FollowUpBody[] {
  const { on_end } = request.policy;
  if (on_end === undefined) return NOTHING;
  return on_end.flatMap(({ when, submit }) => (isMeant(when, end) ? [submit] : []));
}

/** Writes down what is to be submitted. To be called in the transaction of the end. */
export function writeFollowUps(
  { sequels, kept }: Pick<Store, 'sequels' | 'kept'>,
  bodies: readonly FollowUpBody[],
  task: LiveRecord,
): void {
  const now = kept.clock.now();
  for (const body of bodies)
    sequels.followUps.insert({
      task_id: task.task_id,
      body: JSON.stringify(asFollowUp(body, task)),
      due_ms: now,
      expires_ms: now + MAX_AGE_MS,
    });
}

/** The body with what it has of the task that it follows, where it says nothing. */
function asFollowUp(body: FollowUpBody, { task_id, request }: LiveRecord): FollowUpBody {
  const { tenant, owner } = request.control_context ?? {};
  const said = Object.entries((body['control_context'] ?? {}) as Record<string, unknown>);
  const given = Object.fromEntries(said.filter(([, value]) => value !== null && value !== undefined));
  return { ...body, control_context: { tenant, owner, parent_task_id: task_id, ...given } };
}
