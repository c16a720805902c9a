import type { TaskRecord } from '../../store/records.js';
import {
  BULK_ACTIONS,
  BULK_MAX,
  validateBulk,
  type BulkAction,
  type BulkAnswer,
  type BulkItem,
  type BulkRequest,
} from '../../task/actions.js';
import { bodyOf, ExecgoError, taskNotFound } from '../../task/errors.js';
import type { ListQuery } from '../../task/list.js';
import type { TaskStatus } from '../../task/states.js';
import type { Core } from '../core.js';
import { taskRecord } from '../status.js';
import { checkOwner } from './check-owner.js';
import { deleteTask, type DeletingCore } from './delete.js';
import { checkEdit, editTask, type EditingCore } from './edit.js';
import { killNoteOf } from './kill-event.js';
import { killTask, type KillingCore } from './kill.js';
import { pauseTask, resumeTask } from './pause.js';
import { checkRetry, retryTask } from './rerun.js';
import type { Intake, SubmittingCore } from './submit.js';

/** How many are worked on at once: their writes share transactions. */
const AT_ONCE = 32;

/** How long each of many tasks is waited for until it stands still, or goes on, in milliseconds. */
const TURN_WAIT_MS = 5_000;

/** The change that lets a task start that is held. */
const RELEASE = { policy: { hold: false } };

/** How each action is done with one task. */
type BulkSteps = Record<BulkAction, (taskId: string) => Promise<MoreOf> | Promise<void>>;

/** What is said of a task that nothing refused. */
type DoneItem = Exclude<BulkItem, { error: unknown }>;

/** What is said of a task beside how it is. */
interface MoreOf {
  retried_as?: string;
  created?: boolean;
}

/** What acting on many tasks works with. */
type BulkCore = KillingCore & EditingCore & DeletingCore & SubmittingCore;

/** One line for each action. */
function stepsOf(
  core: BulkCore,
  intake: Intake,
  { reason, changes }: BulkRequest,
  { owner, signal }: Asking,
): BulkSteps {
  const note = killNoteOf(owner, reason);
  return {
    kill: async (id) => {
      const task = core.live.get(id);
      if (task !== undefined) await killTask(core, task, { note });
    },
    delete: (id) => deleteTask(core, id, owner),
    pause: (id) => pauseTask(core, id, TURN_WAIT_MS, signal),
    resume: (id) => resumeTask(core, id, TURN_WAIT_MS, signal),
    edit: (id) => editTask(core, intake, id, changes, owner),
    release: (id) => editTask(core, intake, id, RELEASE, owner),
    retry: async (id) => {
      const { task_id, created } = await retryTask(core, intake, id, { owner, again: false });
      return { retried_as: task_id, created };
    },
  };
}

/** What is asked of each task instead when nothing is to be done: whatever would refuse it now, refuses. */
function checksOf(
  core: BulkCore,
  intake: Intake,
  { changes }: BulkRequest,
  { owner }: Asking,
): Partial<BulkSteps> {
  return {
    edit: (id) => checkEdit(core, intake, id, changes, owner),
    release: (id) => checkEdit(core, intake, id, RELEASE, owner),
    retry: (id) => {
      const retried_as = checkRetry(core, intake, id, owner);
      return Promise.resolve({
        ...(retried_as === undefined ? {} : { retried_as }),
        created: retried_as === undefined,
      });
    },
  };
}

/** In whose name, and until when somebody waits for the answer. */
interface Asking {
  /** Value of `x-execgo-owner`. */
  owner: string | undefined;
  signal: AbortSignal;
}

/**
 * Does something with many tasks, each by itself: what one is refused for concerns no other.
 * @throws ExecgoError `invalid_input` for a body that is not valid, or a cursor that no answer returned; what the signal aborts with
 */
export async function actOnTasks(
  core: BulkCore,
  intake: Intake,
  body: unknown,
  asking: Asking,
): Promise<BulkAnswer> {
  const request = validateBulk(body);
  const { action, ids, filter, limit = BULK_MAX, cursor, dry_run = false } = request;
  const { owner, signal } = asking;
  const steps = (dry_run ? checksOf : stepsOf)(core, intake, request, asking);
  const chosen =
    filter === undefined
      ? { ids: [...new Set(ids)], next_cursor: undefined }
      : await chosenBy(core, listQuery(action, filter, limit, cursor), signal);
  const act = async (taskId: string): Promise<BulkItem> => {
    try {
      const record = taskRecord(core, taskId);
      checkOwner(record, owner);
      checkFits(action, record);
      const more = (await steps[action]?.(taskId)) ?? {};
      return { ...(dry_run ? itemOf(record) : itemAfter(core, taskId)), ...more };
    } catch (error) {
      if (!(error instanceof ExecgoError))
        core.log.error({ err: error, task_id: taskId, action }, 'action failed');
      return { task_id: taskId, error: bodyOf(error) };
    }
  };
  const items: BulkItem[] = [];
  for (let i = 0; i < chosen.ids.length; i += AT_ONCE) {
    signal.throwIfAborted();
    items.push(...(await Promise.all(chosen.ids.slice(i, i + AT_ONCE).map(act))));
  }
  const refused = items.filter((item) => 'error' in item).length;
  const { next_cursor } = chosen;
  return { action, dry_run, items, done: items.length - refused, refused, next_cursor };
}

async function chosenBy({ store }: Pick<Core, 'store'>, query: ListQuery, signal: AbortSignal) {
  const { records, next_cursor } = await store.list.page(query, signal);
  return { ids: records.map(({ task_id }) => task_id), next_cursor };
}

function listQuery(
  action: BulkAction,
  { created_after, created_before, finished_after, finished_before, ...filter }: BulkRequest['filter'] & {},
  limit: number,
  cursor: string | undefined,
): ListQuery {
  const ms = (time: string | undefined) => (time === undefined ? undefined : Date.parse(time));
  return {
    ...filter,
    status: filter.status ?? [...BULK_ACTIONS[action]],
    created_after: ms(created_after),
    created_before: ms(created_before),
    finished_after: ms(finished_after),
    finished_before: ms(finished_before),
    order: 'newest',
    limit,
    cursor,
  };
}

/** @throws ExecgoError `conflict` */
function checkFits(action: BulkAction, { task_id, status }: TaskRecord): void {
  const fits: readonly TaskStatus[] = BULK_ACTIONS[action];
  if (fits.includes(status)) return;
  throw new ExecgoError(
    'conflict',
    `task ${task_id} is ${status}: ${action} is for one that is ${fits.join(' or ')}`,
    { status },
  );
}

function itemAfter(core: Pick<Core, 'live' | 'store'>, taskId: string): DoneItem {
  try {
    return itemOf(taskRecord(core, taskId));
  } catch (error) {
    if (error instanceof ExecgoError && error.message === taskNotFound(taskId).message)
      return { task_id: taskId, deleted: true };
    throw error;
  }
}

const itemOf = ({ task_id, status, version }: TaskRecord): DoneItem => ({ task_id, status, version });
