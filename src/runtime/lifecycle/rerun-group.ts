import type { GroupName } from '../../store/group-table.js';
import { endOf, type EndedTask } from '../../store/records.js';
import { holds } from '../../task/dependencies.js';
import { bodyOf, ExecgoError, invalidInput } from '../../task/errors.js';
import type { GroupRetryAnswer, GroupRetryItem, GroupRetryQuery } from '../../task/rerun.js';
import { inTurns } from '../turns.js';
import { latestOf, retryTask } from './rerun.js';
import type { Intake, SubmittingCore } from './submit.js';

/**
 * Runs again what of a group failed, and what was cancelled because of that: each task once, and after those that have come in the
 * place of the ones that it starts after.
 * @throws ExecgoError `not_found` for a group that has no task; `invalid_input` for another's cursor
 */
export async function retryGroup(
  core: SubmittingCore,
  intake: Intake,
  group: string,
  { tenant, cancelled, limit, cursor }: GroupRetryQuery,
  owner: string | undefined,
): Promise<GroupRetryAnswer> {
  const name = { tenant, group };
  const after = cursor === undefined ? Number.MIN_SAFE_INTEGER : decodeCursor(cursor);
  if (core.store.groups.of(name) === undefined)
    throw new ExecgoError('not_found', `group not found: ${group}`, { group, tenant });
  const found = core.store.reruns.undone(name, { after, cancelled, limit: limit + 1 });
  const tasks = found.slice(0, limit);
  const items = new Rerunning(core, intake, { name, cancelled, owner });
  await Promise.all(await inTurns(tasks, ({ task_id }) => items.again(task_id)));
  const last = tasks.at(-1);
  return {
    tasks: await items.all(),
    next_cursor: found.length > limit && last !== undefined ? encodeCursor(last.submit_seq) : undefined,
  };
}

/** Tasks of one group that are run again together. */
class Rerunning {
  readonly #items = new Map<string, Promise<GroupRetryItem | undefined>>();

  constructor(
    private readonly core: SubmittingCore,
    private readonly intake: Intake,
    private readonly wanted: { name: GroupName; cancelled: boolean; owner: string | undefined },
  ) {}

  /** Undefined for a task that could not start whatever becomes of the others. */
  again(taskId: string): Promise<GroupRetryItem | undefined> {
    let item = this.#items.get(taskId);
    if (item === undefined) this.#items.set(taskId, (item = this.#again(taskId)));
    return item;
  }

  /** What has become of all of them, as far as they have been asked for. */
  async all(): Promise<GroupRetryItem[]> {
    return (await Promise.all(this.#items.values())).filter((item) => item !== undefined);
  }

  async #again(taskId: string): Promise<GroupRetryItem | undefined> {
    // A chain may be long: it must not be as deep as that.
    await Promise.resolve();
    const task = this.#ended(taskId);
    if (task === undefined) return undefined;
    try {
      await this.#others(task);
      const { owner } = this.wanted;
      return await retryTask(this.core, this.intake, taskId, { owner, again: false });
    } catch (error) {
      if (!(error instanceof ExecgoError)) this.core.log.error({ err: error }, 'a task cannot be run again');
      // It waited for something else than what is run again.
      if (task.cause === 'dependency' && error instanceof ExecgoError && error.code === 'conflict')
        return undefined;
      return { retry_of: taskId, error: bodyOf(error) };
    }
  }

  /** Those that it starts after, where they belong to what is run again, come first. */
  async #others({ request }: EndedTask): Promise<void> {
    const { store } = this.core;
    for (const { task_id, when } of request.policy.after ?? []) {
      const other = this.#ended(latestOf(store, { task_id, when }));
      if (other !== undefined && !holds(when, other.status) && this.#isWanted(other))
        await this.again(other.task_id);
    }
  }

  #isWanted({ request, status, cause, retried_as }: EndedTask): boolean {
    const { name, cancelled } = this.wanted;
    const context = request.control_context;
    if (context?.group !== name.group || context.tenant !== name.tenant) return false;
    if (retried_as !== undefined || status === 'success') return false;
    return cancelled || status === 'failed' || cause === 'dependency';
  }

  #ended(taskId: string): EndedTask | undefined {
    const task = this.core.store.tasks.get(taskId);
    return task && endOf(task);
  }
}

const CURSOR = /^retry:(-?\d{1,16})$/;

function encodeCursor(submitSeq: number): string {
  return Buffer.from(`retry:${submitSeq}`).toString('base64url');
}

function decodeCursor(cursor: string): number {
  const [, seq] = CURSOR.exec(Buffer.from(cursor, 'base64url').toString()) ?? [];
  if (seq !== undefined && Number.isSafeInteger(Number(seq))) return Number(seq);
  throw invalidInput('cursor: is not one that a retry of a group has returned');
}
