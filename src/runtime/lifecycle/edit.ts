import { crashPoint } from '../../executor/crash-point.js';
import type { Edit, WaitingTask } from '../../store/records.js';
import {
  changedFields,
  editedRequest,
  takenBack,
  validateEdit,
  type ValidatedEdit,
} from '../../task/edit.js';
import { ExecgoError } from '../../task/errors.js';
import { mergePatch } from '../../task/merge-patch.js';
import { withDefaultLimits } from '../../task/queues.js';
import type { Condition } from '../../task/dependencies.js';
import { queueOf, type TaskRequest } from '../../task/request.js';
import type { Core } from '../core.js';
import type { LiveTask } from '../live-tasks.js';
import type { QueueRules } from '../queue-rules.js';
import type { Schedule } from '../schedule.js';
import { taskRecord } from '../status.js';
import { asStorageError } from '../storage-error.js';
import { checkFits } from './check-fits.js';
import { checkOwner } from './check-owner.js';
import type { Dependants } from './dependants.js';
import { changeOf, type Dispatcher } from './dispatch.js';
import { planEdited, planEvents, withDecisions } from './plan.js';
import { checkDemands, checkRoomToWait, type Intake } from './submit.js';

/** What an edit works with. */
export type EditingCore = Core & {
  schedule: Schedule;
  dispatcher: Dispatcher;
  dependants: Dependants;
  rules: QueueRules;
};

/** What a request may be long, in bytes of its JSON: the limit for the body of a submit. Many edits could make it longer. */
const REQUEST_MAX_BYTES = 2_097_152;

/**
 * Changes a task that waits: it is validated, planned and checked anew as at its submit, and has its new place in the queue
 * once that is durable. While it is written the task does not start. A request that is refused changes nothing.
 * @param owner value of `x-execgo-owner`
 * @throws ExecgoError `invalid_input`, `not_found`, `permission_denied`; `conflict` when it does not wait any more, or has
 *   another version than the body names; what a submit throws that cannot be planned or does not fit
 */
export async function editTask(
  core: EditingCore,
  intake: Intake,
  taskId: string,
  body: unknown,
  owner: string | undefined,
): Promise<void> {
  await prepared(core, intake, { taskId, body, owner }, async (task, record, edit) => {
    if (edit !== undefined) await write(core, intake, task, record, edit);
  });
}

async function write(
  core: EditingCore,
  intake: Intake,
  task: LiveTask,
  record: WaitingTask,
  edit: Edit,
): Promise<void> {
  const { task_id: taskId } = record;
  const moves = queueOf(edit.request) !== queueOf(record.request);
  if (moves) intake.inserting.add(taskId, edit.request);
  const committed = commit(core, task, record, edit);
  const settled = committed.then(
    () => undefined,
    () => undefined,
  );
  const underWay = { what: 'edit', settled } as const;
  task.underWay = underWay;
  try {
    await committed;
  } catch (error) {
    throw asStorageError(error);
  } finally {
    if (moves) intake.inserting.delete(taskId);
    if (task.underWay === underWay) task.underWay = undefined;
    // One that is to be killed meanwhile is left to that.
    if (task.ending === undefined && task.kill === undefined) core.dispatcher.requeue(task);
  }
}

/** Says what {@link editTask} would refuse now, and changes nothing. @throws ExecgoError as that */
export function checkEdit(
  core: EditingCore,
  intake: Intake,
  taskId: string,
  body: unknown,
  owner: string | undefined,
): Promise<void> {
  return prepared(core, intake, { taskId, body, owner }, () => Promise.resolve());
}

/**
 * @param then what is done with the edit, undefined when nothing would change: in the same turn in which it was seen that the task waits,
 *   so that nobody else changes it first
 */
async function prepared(
  core: EditingCore,
  intake: Intake,
  { taskId, body, owner }: { taskId: string; body: unknown; owner: string | undefined },
  then: (task: LiveTask, record: WaitingTask, edit: Edit | undefined) => Promise<void>,
): Promise<void> {
  checkOwner(taskRecord(core, taskId), owner);
  const wanted = validateEdit(body);
  const live = core.live.get(taskId);
  for (let change = live && changeOf(live); change !== undefined; change = live && changeOf(live))
    await change;
  const { task, record } = waitingTask(core, taskId);
  checkVersion(record, wanted.if_version);
  await then(task, record, editOf(core, intake, record, wanted.patch));
}

/** @throws ExecgoError `conflict` for a task that does not wait in its queue: it runs or has ended, or is about to */
function waitingTask(core: EditingCore, taskId: string): { task: LiveTask; record: WaitingTask } {
  const task = core.live.get(taskId);
  const phase = task?.phase;
  if (task !== undefined && phase?.name === 'waiting' && core.schedule.waits(taskId))
    return { task, record: phase.record };
  const { status, version } = taskRecord(core, taskId);
  const how = status === 'accepted' ? 'is just being started, changed or cancelled' : `is ${status}`;
  throw new ExecgoError('conflict', `task ${taskId} ${how}: only one that waits can be changed`, {
    status,
    version,
  });
}

function checkVersion({ task_id, version }: WaitingTask, wanted: number | undefined): void {
  if (wanted === undefined || wanted === version) return;
  throw new ExecgoError(
    'conflict',
    `task ${task_id} has version ${version}, not ${wanted}: it has been changed since`,
    { version },
  );
}

/** Undefined when nothing would change. @throws ExecgoError as a submit of the changed request would */
function editOf(
  core: EditingCore,
  intake: Intake,
  record: WaitingTask,
  patch: ValidatedEdit['patch'],
): Edit | undefined {
  const { request: asked, planned } = planEdited(core, record, (before) => {
    const edited = editedRequest(before, patch);
    const defaults = core.rules.of(queueOf(edited))?.rule.default_limits ?? {};
    return withDefaultLimits(edited, {}, takenBack(defaults, patch));
  });
  checkDemands(core, asked);
  checkFits(core, asked, planned);
  const request = withDecisions(asked, planned.plan, core.settings);
  const fields = changedFields(record.request, request);
  const afterBefore = waitingAfter(core, record);
  const open = fields.includes('policy.after') ? openAfter(core, record, request) : undefined;
  if (open !== undefined && record.past_attempts > 0)
    throw new ExecgoError(
      'conflict',
      `task ${record.task_id} has run once: policy.after says after what its first attempt starts`,
      { attempts: record.past_attempts },
    );
  const eligible_ms = eligibleMs(core, record);
  checkRoomToWait(
    core,
    intake,
    { ...record, request: asked, eligible_ms, awaits: (open ?? afterBefore).length > 0 },
    {
      queue: queueOf(record.request),
      where: core.schedule.whereWaits(record),
    },
  );
  if (fields.length === 0) return undefined;
  const sent_json = patched(core.store.tasks.sent(record.task_id), patch);
  if (Buffer.byteLength(sent_json ?? JSON.stringify(request)) > REQUEST_MAX_BYTES)
    throw new ExecgoError(
      'payload_too_large',
      `payload too large: with this change the request has more than ${REQUEST_MAX_BYTES} bytes`,
    );
  const at_ms = core.now();
  const { plan, reservation } = record;
  const isPlannedAnew = JSON.stringify(planned) !== JSON.stringify({ plan, reservation });
  return {
    ...planned,
    request,
    sent_json,
    eligible_ms,
    at_ms,
    open,
    events: [
      { event_type: 'edited', timestamp_ms: at_ms, data: { fields } },
      ...(isPlannedAnew ? planEvents(planned.plan, at_ms) : []),
    ],
  };
}

/** See {@link WaitingTask}: an edit may end what its request says, and leaves a back-off as it is. */
function eligibleMs(
  { schedule, store }: EditingCore,
  { task_id, eligible_ms }: WaitingTask,
): number | undefined {
  if (!schedule.notYet.has(task_id)) return eligible_ms;
  return Math.max(store.kept.clock.now(), eligible_ms ?? -Infinity);
}

/** What it waits for now. */
function waitingAfter({ schedule }: EditingCore, { task_id }: WaitingTask): Condition[] {
  return schedule.dependencies.openOf(task_id);
}

/**
 * What it will wait for. A condition that it has already, and that holds, is not asked again: how that task ended may have been
 * forgotten.
 */
function openAfter(core: EditingCore, record: WaitingTask, request: TaskRequest): Condition[] {
  const open = new Set(waitingAfter(core, record).map(({ task_id }) => task_id));
  const settled = (record.request.policy.after ?? []).filter(({ task_id }) => !open.has(task_id));
  return core.dependants.openOf(record.task_id, request.policy.after, settled);
}

/** JSON with a merge patch; null where there is none, or what somebody has put there is none. */
function patched(json: string | undefined, patch: ValidatedEdit['patch']): string | null {
  try {
    return json === undefined ? null : JSON.stringify(mergePatch(JSON.parse(json), patch));
  } catch {
    return null;
  }
}

async function commit(core: EditingCore, task: LiveTask, record: WaitingTask, edit: Edit): Promise<void> {
  const { schedule, store, live, announcer } = core;
  // Nobody may start it by what it was.
  schedule.withdraw(record.task_id);
  const { edited, open } = await store.commits.write(() => {
    // One of those that it is to start after may have ended since.
    const open = edit.open && openAfter(core, record, edit.request);
    const edited = store.changes.edit(record, { ...edit, open });
    // The next daemon goes on counting from here.
    if (edit.eligible_ms !== record.eligible_ms) store.kept.saveClock();
    crashPoint('before_edit_commit');
    return { edited, open };
  });
  crashPoint('after_edit_commit');
  if (edited === undefined) throw new Error(`task ${record.task_id} is no longer waiting`);
  if (open !== undefined) core.dependants.entered(record.task_id, open);
  // `request.json` is made again before it starts.
  task.filesChecked = false;
  live.update(task, edited.task);
  announcer.events(edited.events);
}
