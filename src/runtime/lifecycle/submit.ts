import type { Changed, InsertResult, NewTask, RequestHash, RunningTask } from '../../store/records.js';
import { quoted, unmetDemand } from '../../task/demands.js';
import { ExecgoError } from '../../task/errors.js';
import type { NewEvent } from '../../task/events.js';
import type { PlannedTask } from '../../task/plan.js';
import type { Condition } from '../../task/dependencies.js';
import { withDefaultLimits } from '../../task/queues.js';
import { queueOf, type TaskRequest } from '../../task/request.js';
import { validateSubmission, type ValidatedSubmission } from '../../task/validate.js';
import type { SubmitAnswer } from '../../task/view.js';
import type { Core } from '../core.js';
import { crashPoint } from '../../executor/crash-point.js';
import { checkFollowUps } from '../follow-ups/check.js';
import { checkParent } from './check-parent.js';
import { checkFits } from './check-fits.js';
import { checkConflict } from './conflicts.js';
import { checkGroup, checkGroupRules, type Groups } from './groups.js';
import type { Dependants } from './dependants.js';
import type { Dispatcher } from './dispatch.js';
import type { QueueRules } from '../queue-rules.js';
import type { Startable } from '../not-yet.js';
import type { Schedule, Whereabouts } from '../schedule.js';
import { Inserting } from './inserting.js';
import { asStorageError } from '../storage-error.js';
import { checkNotify, type WebhookRules } from '../notify/check.js';
import { planEvents, resolveTaskPlan, withDecisions } from './plan.js';
import { requestHash } from './request-hash.js';
import { keptOnly } from './kept-only.js';
import { checkSession, enterSession } from './session.js';
import { createTaskFiles, removeTaskFiles } from '../files/task-files.js';

/** What a submit works with. */
export type SubmittingCore = Core & {
  schedule: Schedule;
  dispatcher: Dispatcher;
  dependants: Dependants;
  groups: Groups;
  rules: QueueRules;
  webhooks: WebhookRules;
};

/** What submits know of each other. */
export interface Intake {
  /** Ids of tasks. They grow with time, so that the index entries of tasks that come together lie together. */
  readonly newId: () => string;
  /** Ids whose insert is under way: they are taken, and count as waiting. */
  readonly inserting: Inserting;
  /** By tenant and idempotency key, the submit that is about to use it first. */
  readonly claiming: Map<string, Promise<string>>;
}

export function newIntake(newId: () => string): Intake {
  return { newId, inserting: new Inserting(), claiming: new Map() };
}

/** A task that is being submitted. */
interface Submission {
  request: TaskRequest;
  /** The body as it was sent. */
  sent: unknown;
  /** Only with an idempotency key. */
  hash?: RequestHash;
  part?: Part | undefined;
}

/** What a submit is part of: a batch, a due time of a schedule, or running a task again. */
export interface Part {
  /** As it was sent, with the names of other items: what tells it apart under an idempotency key. */
  sent?: unknown;
  /** The task that it repeats. */
  retry_of?: string;
  /** Called in the transaction of its insert, not for a replay of an idempotency key: what it throws refuses the task. */
  check: (taskId: string) => void;
  /** Called in that transaction when all is written. */
  inserted?: () => void;
}

/**
 * Accepts a task: validate → plan → capacity → tenant quota → queue length → write. A request that is refused at any step
 * leaves nothing behind. Returns once the row is durable and the task can be read.
 * @param along not called for a replay of an idempotency key
 * @throws ExecgoError with the code of the step that refused
 */
export async function submit(
  core: SubmittingCore,
  intake: Intake,
  body: unknown,
  part?: Part,
): Promise<SubmitAnswer> {
  const { request, warnings } = validated(core, body);
  warnings.push(...keptOnly(request, core.settings.machine));
  const key = request.control_context?.idempotency_key;
  const task_id =
    key === undefined
      ? await accept(core, intake, { request, sent: body, part })
      : await acceptOnce(core, intake, key, {
          request,
          sent: body,
          hash: requestHash(part?.sent ?? body),
          part,
        });
  const { unmatched, notYet } = core.schedule;
  const waits = unmatched.has(task_id) || notYet.has(task_id);
  const unmet = waits ? unmetDemand(request, core.settings.machine) : undefined;
  if (unmet !== undefined)
    warnings.push(`the task waits for a daemon that meets its demands: ${unmet.detail}`);
  return {
    task_id,
    handle_id: task_id,
    status: 'accepted',
    warnings: warnings.length > 0 ? warnings : undefined,
  };
}

/** The request, with the limits of its queue where it names none of its own. @throws ExecgoError `invalid_input` */
export function validated({ rules }: Pick<SubmittingCore, 'rules'>, body: unknown): ValidatedSubmission {
  const { request, warnings } = validateSubmission(body);
  const defaults = rules.of(queueOf(request))?.rule.default_limits ?? {};
  return { request: withDefaultLimits(request, body, defaults), warnings };
}

/**
 * A replay is answered before anything is checked: a task that was accepted once is not refused because the daemon is busy
 * now. While the first use of a key is being written, a second one waits for it.
 */
async function acceptOnce(
  core: SubmittingCore,
  intake: Intake,
  key: string,
  submission: Submission & { hash: RequestHash },
): Promise<string> {
  const tenant = submission.request.control_context?.tenant;
  const name = JSON.stringify([tenant, key]);
  for (let first = intake.claiming.get(name); first !== undefined; first = intake.claiming.get(name))
    await first.catch(() => undefined);
  const replayed = core.store.keys.lookUp(tenant, key, submission.hash);
  if (replayed !== undefined) return replayed;
  const accepted = accept(core, intake, submission);
  intake.claiming.set(name, accepted);
  try {
    return await accepted;
  } finally {
    intake.claiming.delete(name);
  }
}

/** @throws ExecgoError `unsupported_capability` when this machine does not meet the demands, and nothing would ever end the wait */
export function checkDemands(core: Pick<Core, 'settings'>, request: TaskRequest): void {
  const unmet = unmetDemand(request, core.settings.machine);
  if (unmet === undefined || request.limits.queue_timeout_ms !== undefined) return;
  const { detail, ...facts } = unmet;
  throw new ExecgoError(
    'unsupported_capability',
    `unsupported capability: ${detail}; with limits.queue_timeout_ms the task would wait for a daemon that meets it`,
    facts,
  );
}

/** What is to follow its end. @throws ExecgoError when that could not be done as things are now */
export function checkFollowing(
  { webhooks }: Pick<SubmittingCore, 'webhooks'>,
  { policy, control_context: context }: TaskRequest,
): void {
  if (policy.notify !== undefined) checkNotify(webhooks, 'policy.notify', policy.notify);
  if (policy.group_notify !== undefined) checkNotify(webhooks, 'policy.group_notify', policy.group_notify);
  if (policy.on_end !== undefined) checkFollowUps(webhooks, context?.tenant, policy.on_end);
}

async function accept(core: SubmittingCore, intake: Intake, submission: Submission): Promise<string> {
  const { request } = submission;
  checkSession(core, request);
  const planned = resolveTaskPlan(core, request);
  checkParent(core, request);
  checkFollowing(core, request);
  checkDemands(core, request);
  checkFits(core, request, planned);
  const taskId = request.task_id ?? intake.newId();
  if (!core.schedule.accepting)
    throw new ExecgoError(
      'unavailable',
      'the daemon is stopping and accepts no tasks; submit again in a moment',
    );
  const awaits = core.dependants.mustWait(request.policy.after);
  checkRoomToWait(core, intake, { request, past_attempts: 0, awaits });
  if (intake.inserting.has(taskId) || core.live.get(taskId) !== undefined)
    throw new ExecgoError('conflict', `task already exists: ${taskId}`);
  checkConflict(core.live, request);
  checkGroupRules(core, request);
  // Whoever runs a task again knows what has failed.
  if (submission.part?.retry_of === undefined) checkGroup(core, request);
  const accepted = withDecisions(request, planned.plan, core.settings);
  if (request.control_context?.session_id !== undefined) accepted.in_session = true;
  intake.inserting.add(taskId, request);
  core.live.concurrency.add(taskId, request);
  try {
    return await insert(
      core,
      newTask(
        core,
        taskId,
        { ...submission, request: Object.assign(accepted, { task_id: taskId }) },
        planned,
      ),
      submission.part,
    );
  } catch (error) {
    throw asStorageError(error);
  } finally {
    intake.inserting.delete(taskId);
    if (core.live.get(taskId) === undefined) core.live.concurrency.delete(taskId, request);
  }
}

/**
 * @param from where the task waits already, and counts
 * @throws ExecgoError `resource_limit_exceeded` when as many wait as may: in all, of its tenant, or in its queue
 */
export function checkRoomToWait(
  core: Pick<SubmittingCore, 'settings' | 'schedule' | 'live' | 'rules'>,
  { inserting }: Intake,
  task: Startable,
  from?: { queue: string; where: Whereabouts },
): void {
  const { live, rules, schedule, settings } = core;
  const { request } = task;
  const { maxQueuedTasks, maxQueuedPerTenant } = settings;
  const full = (message: string, details: object) =>
    new ExecgoError('resource_limit_exceeded', message, details);
  // Tasks that demand another machine, and those that may not start yet, have limits of their own, so that they keep nobody else
  // out. What was accepted for later is let in when its time has come.
  const where = schedule.whereWaits(task);
  const ahead = { queue: schedule.queued, unmatched: schedule.unmatched.size, not_yet: schedule.notYet.size };
  const isNew = from?.where !== where && from?.where !== 'not_yet';
  if (isNew && ahead[where] + inserting.size >= maxQueuedTasks)
    throw full('queue is full', { bound: 'max_queued_tasks', limit: maxQueuedTasks });
  const tenant = request.control_context?.tenant;
  const ofTenant = live.counts.waitingOf(tenant) + inserting.ofTenant(tenant);
  if (from === undefined && maxQueuedPerTenant > 0 && ofTenant >= maxQueuedPerTenant)
    throw full(
      tenant === undefined
        ? `queue is full for tasks without a tenant: ${ofTenant} of them wait, which is the most`
        : `queue is full for tenant ${quoted(tenant)}: ${ofTenant} of its tasks wait, which is the most`,
      { bound: 'max_queued_per_tenant', tenant, limit: maxQueuedPerTenant },
    );
  const queue = queueOf(request);
  const limit = from?.queue === queue ? undefined : rules.of(queue)?.rule.max_waiting;
  if (limit !== undefined && (live.counts.of(queue)?.accepted ?? 0) + inserting.ofQueue(queue) >= limit)
    throw full(`queue ${queue} is full: its max_waiting is ${limit}`, { bound: 'max_waiting', queue, limit });
}

function newTask(
  core: Pick<Core, 'now'>,
  task_id: string,
  { request, sent, hash, part }: Submission,
  { plan: resolved, reservation }: PlannedTask,
): NewTask {
  const at = core.now();
  const events: NewEvent[] = [
    { event_type: 'submitted', timestamp_ms: at },
    { event_type: 'accepted', timestamp_ms: at },
    ...planEvents(resolved, at),
  ];
  return {
    task_id,
    request,
    request_json: JSON.stringify(request),
    sent_json: JSON.stringify(sent),
    plan: resolved,
    reservation,
    created_at_ms: at,
    retry_of: part?.retry_of,
    request_hash: hash,
    events,
  };
}

/**
 * Writes the task down, and enters it into the queue. One that is the next to start is written as running in the same
 * transaction, and given to its place before its client is answered.
 */
async function insert(core: SubmittingCore, task: NewTask, part: Part | undefined): Promise<string> {
  const { dataDir, taskOwner } = core.settings;
  const { task_id } = task;
  const made: string[] = [];
  const { after } = task.request.policy;
  let open: Condition[] = [];
  let written: InsertResult & { dispatched?: Changed<RunningTask> | undefined };
  try {
    written = await core.store.commits.write(() => {
      const inserted = core.store.newTasks.insert(task);
      if (!inserted.inserted) return inserted;
      // Its parent may have been killed with its children meanwhile.
      checkParent(core, task.request);
      part?.check(task_id);
      open = core.dependants.openOf(task_id, after);
      if (open.length > 0) core.store.dependencies.set(task_id, open);
      if (inserted.task.request.in_session === true) enterSession(core, inserted);
      createTaskFiles(dataDir, task_id, task.request, taskOwner);
      made.push(task_id);
      const dispatched = open.length > 0 ? undefined : core.dispatcher.dispatchAtOnce(inserted.task);
      part?.inserted?.();
      crashPoint('before_submit_commit');
      return { ...inserted, dispatched };
    });
  } catch (error) {
    // A share that is held under this id is its own: nobody else can use the id as long as its insert is under way.
    if (core.schedule.ledger.release(task_id)) core.dispatcher.pump();
    for (const id of made) removeTaskFiles(dataDir, id);
    throw error;
  }
  if (!written.inserted) return written.task_id;
  crashPoint('after_submit_commit');
  const { dispatched } = written;
  // What there is of a session's workspace is looked at before each of its tasks starts.
  const live = core.live.add(written.task, written.task.request.in_session !== true);
  if (dispatched !== undefined) core.live.update(live, dispatched.task);
  core.announcer.events([...written.events, ...(dispatched?.events ?? [])]);
  if (dispatched === undefined) {
    if (open.length > 0) core.dependants.entered(task_id, open);
    core.dispatcher.enqueue(live);
    if (open.length === 0) core.dispatcher.pump();
  } else {
    core.dispatcher.tell(live);
    crashPoint('after_submit_launch');
  }
  core.groups.look(task.request);
  return task_id;
}
