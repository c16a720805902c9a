import type { Changed, InsertResult, NewTask, RequestHash, RunningTask } from '../../store/records.js';
import { quoted, unmetDemand } from '../../task/demands.js';
import { bodyOf, ExecgoError, invalidInput } from '../../task/errors.js';
import type { NewEvent } from '../../task/events.js';
import type { PlannedTask } from '../../task/plan.js';
import { withDefaultLimits } from '../../task/queues.js';
import { queueOf, type TaskRequest } from '../../task/request.js';
import { validateSubmission, type ValidatedSubmission } from '../../task/validate.js';
import type { SubmitAnswer, BatchItem } from '../../task/view.js';
import type { Core } from '../core.js';
import { crashPoint } from '../../executor/crash-point.js';
import { checkFits } from './check-fits.js';
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
import { inTurns } from '../turns.js';

/** What a submit works with. */
export type SubmittingCore = Core & {
  schedule: Schedule;
  dispatcher: Dispatcher;
  rules: QueueRules;
  webhooks: WebhookRules;
};
type FittingCore = Pick<SubmittingCore, 'settings' | 'schedule' | 'rules' | 'webhooks'>;

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
  along?: Along | undefined;
}

/** What else is written in the transaction that accepts a task. What it throws refuses the task. */
export type Along = (taskId: string) => void;

/** How many tasks one batch may hold. */
const BATCH_MAX = 1000;

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
  along?: Along,
): Promise<SubmitAnswer> {
  const { request, warnings } = validated(core, body);
  warnings.push(...keptOnly(request, core.settings.machine));
  const key = request.control_context?.idempotency_key;
  const task_id =
    key === undefined
      ? await accept(core, intake, { request, sent: body, along })
      : await acceptOnce(core, intake, key, { request, sent: body, hash: requestHash(body), along });
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
function validated({ rules }: Pick<SubmittingCore, 'rules'>, body: unknown): ValidatedSubmission {
  const { request, warnings } = validateSubmission(body);
  const defaults = rules.of(queueOf(request))?.rule.default_limits ?? {};
  return { request: withDefaultLimits(request, body, defaults), warnings };
}

/** The plan and the reservation, or the refusal, without accepting anything. */
export function dryRun(core: FittingCore & Pick<Core, 'store'>, body: unknown): PlannedTask {
  const { request } = validated(core, body);
  checkSession(core, request);
  const planned = resolveTaskPlan(core, request);
  checkFollowing(core, request);
  checkDemands(core, request);
  checkFits(core, request, planned);
  return planned;
}

/**
 * Accepts many tasks, which share transactions and their fsyncs; each has an answer, in order. A refused item does not
 * affect others. A large batch takes several turns of the event loop, so that other requests need not wait for all of it.
 * @throws ExecgoError `invalid_input` when the body is not `{tasks: [...]}` with 1 to 1,000 items
 */
export async function submitBatch(core: SubmittingCore, intake: Intake, body: unknown): Promise<BatchItem[]> {
  const tasks: unknown =
    typeof body === 'object' && body !== null && 'tasks' in body ? body.tasks : undefined;
  if (!Array.isArray(tasks)) throw invalidInput('tasks: must be an array of task submissions');
  if (tasks.length === 0 || tasks.length > BATCH_MAX)
    throw invalidInput(`tasks: must have 1 to ${BATCH_MAX} items, not ${tasks.length}`);
  const answers = await inTurns(tasks, (item: unknown) =>
    submit(core, intake, item).catch((e: unknown) => refused(core, item, e)),
  );
  return Promise.all(answers);
}

function refused(core: Pick<Core, 'log'>, item: unknown, error: unknown): BatchItem {
  const task_id = typeof item === 'object' && item !== null && 'task_id' in item ? item.task_id : undefined;
  if (!(error instanceof ExecgoError)) core.log.error({ err: error }, 'a submit failed');
  return {
    ...(typeof task_id === 'string' ? { task_id } : {}),
    error: bodyOf(error),
  };
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
function checkFollowing({ webhooks }: Pick<SubmittingCore, 'webhooks'>, { policy }: TaskRequest): void {
  if (policy.notify !== undefined) checkNotify(webhooks, 'policy.notify', policy.notify);
}

async function accept(core: SubmittingCore, intake: Intake, submission: Submission): Promise<string> {
  const { request } = submission;
  checkSession(core, request);
  const planned = resolveTaskPlan(core, request);
  checkFollowing(core, request);
  checkDemands(core, request);
  checkFits(core, request, planned);
  const taskId = request.task_id ?? intake.newId();
  if (!core.schedule.accepting)
    throw new ExecgoError(
      'unavailable',
      'the daemon is stopping and accepts no tasks; submit again in a moment',
    );
  checkRoomToWait(core, intake, { request, past_attempts: 0 });
  if (intake.inserting.has(taskId) || core.live.get(taskId) !== undefined)
    throw new ExecgoError('conflict', `task already exists: ${taskId}`);
  const accepted = withDecisions(request, planned.plan, core.settings);
  if (request.control_context?.session_id !== undefined) accepted.in_session = true;
  intake.inserting.add(taskId, request);
  try {
    return await insert(
      core,
      newTask(
        core,
        taskId,
        { ...submission, request: Object.assign(accepted, { task_id: taskId }) },
        planned,
      ),
      submission.along,
    );
  } catch (error) {
    throw asStorageError(error);
  } finally {
    intake.inserting.delete(taskId);
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
  { request, sent, hash }: Submission,
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
    request_hash: hash,
    events,
  };
}

/**
 * Writes the task down, and enters it into the queue. One that is the next to start is written as running in the same
 * transaction, and given to its place before its client is answered.
 */
async function insert(core: SubmittingCore, task: NewTask, along: Along | undefined): Promise<string> {
  const { dataDir, taskOwner } = core.settings;
  const { task_id } = task;
  const made: string[] = [];
  let written: InsertResult & { dispatched?: Changed<RunningTask> | undefined };
  try {
    written = await core.store.commits.write(() => {
      const inserted = core.store.insertTask(task);
      if (!inserted.inserted) return inserted;
      if (inserted.task.request.in_session === true) enterSession(core, inserted);
      createTaskFiles(dataDir, task_id, task.request, taskOwner);
      made.push(task_id);
      along?.(task_id);
      const dispatched = core.dispatcher.dispatchAtOnce(inserted.task);
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
    core.dispatcher.enqueue(live);
    core.dispatcher.pump();
  } else {
    core.dispatcher.tell(live);
    crashPoint('after_submit_launch');
  }
  return task_id;
}
