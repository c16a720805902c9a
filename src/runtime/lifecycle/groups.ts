import { groupNameOf, isStopped, type GroupName } from '../../store/group-table.js';
import { quoted } from '../../task/demands.js';
import { ExecgoError } from '../../task/errors.js';
import type { TaskRequest } from '../../task/request.js';
import type { Core } from '../core.js';
import type { KillRequest, LiveTask } from '../live-tasks.js';
import { groupKey } from '../task-sets.js';
import { inTurns } from '../turns.js';
import { killTask, type KillingCore } from './kill.js';
import { waitAtMost } from './wait.js';

/**
 * Whether a task may come to its group.
 * @throws ExecgoError `conflict` for a group of which as many have failed as may
 */
export function checkGroup({ store }: Pick<Core, 'store'>, request: TaskRequest): void {
  const name = groupNameOf(request);
  const row = name && store.groups.of(name);
  if (name === undefined || row === undefined) return;
  const max_failures = request.policy.max_failures ?? row.max_failures;
  if (!isStopped({ ...row, max_failures })) return;
  throw new ExecgoError(
    'conflict',
    `group ${quoted(name.group)} is stopped: ${row.failed} of its tasks ${row.failed === 1 ? 'has' : 'have'} failed, and its max_failures is ${max_failures ?? 0}`,
    { group: name.group, failed: row.failed, max_failures },
  );
}

/**
 * Whether a task may say what holds for its whole group: only for one whose owner is that of the task that has said it before.
 * @throws ExecgoError `permission_denied`
 */
export function checkGroupRules({ store }: Pick<Core, 'store'>, request: TaskRequest): void {
  const { max_failures, group_notify } = request.policy;
  if (max_failures === undefined && group_notify === undefined) return;
  const name = groupNameOf(request);
  const row = name && store.groups.of(name);
  if (name === undefined || row === undefined) return;
  const owner = request.control_context?.owner ?? null;
  const refuse = (field: string) => {
    throw new ExecgoError(
      'permission_denied',
      `permission denied: ${field} of group ${quoted(name.group)} was said by a task of another owner`,
      { group: name.group, field },
    );
  };
  if (max_failures !== undefined && row.max_failures !== null && row.owner !== null && row.owner !== owner)
    refuse('policy.max_failures');
  if (
    group_notify !== undefined &&
    row.notify !== null &&
    row.notify_owner !== null &&
    row.notify_owner !== owner
  )
    refuse('policy.group_notify');
}

/** Stops the rest of a group when too many of it have failed, and kills all of one. */
export class Groups {
  constructor(private readonly core: KillingCore) {}

  /** From now on groups are stopped; those that were to be are at once. */
  start(): void {
    const { announcer, live } = this.core;
    announcer.onMemberEnd((task) => {
      this.look(task.record.request);
    });
    const seen = new Set<string>();
    for (const { record } of [...live.all()]) {
      const name = groupNameOf(record.request);
      const key = name && groupKey(name.tenant, name.group);
      if (key === undefined || seen.has(key)) continue;
      seen.add(key);
      this.look(record.request);
    }
  }

  /** Stops the rest of the group of a task that has come or ended, where that is due. */
  look(request: TaskRequest): void {
    const name = groupNameOf(request);
    const row = name && this.core.store.groups.of(name);
    if (name === undefined || row === undefined || !isStopped(row)) return;
    this.#kill(name, {}, (theirs) => theirs === undefined || theirs === row.owner).catch((error: unknown) => {
      this.core.log.error({ err: error, ...name }, 'the rest of a group cannot be stopped');
    });
  }

  /**
   * Kills all tasks of a group that have not ended.
   * @param owner value of `x-execgo-owner`
   * @returns how many were killed, and how many were not as they have another owner
   */
  kill(
    name: GroupName,
    how: KillRequest,
    owner: string | undefined,
  ): Promise<{ killed: number; refused: number }> {
    return this.#kill(name, how, (theirs) => theirs === undefined || theirs.trim() === owner?.trim());
  }

  async #kill(
    { tenant, group }: GroupName,
    how: KillRequest,
    isAllowed: (owner: string | undefined) => boolean,
  ): Promise<{ killed: number; refused: number }> {
    const { live } = this.core;
    const tasks = [...live.groups.named(groupKey(tenant, group))].flatMap((id) => live.get(id) ?? []);
    const ownerOf = ({ record }: LiveTask) => record.request.control_context?.owner;
    const allowed = tasks.filter((task) => isAllowed(ownerOf(task)));
    const killed = await inTurns(allowed, (task) => killTask(this.core, task, how));
    await Promise.all(killed);
    return { killed: allowed.length, refused: tasks.length - allowed.length };
  }
}

/** Waits until all tasks of a group have ended, but no longer than `waitMs`. Throws when `signal` aborts. */
export async function waitForGroup(
  { live, announcer }: Pick<Core, 'live' | 'announcer'>,
  { tenant, group }: GroupName,
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  const key = groupKey(tenant, group);
  if (waitMs === 0) return;
  await waitAtMost(waitMs, signal, async (either) => {
    while (live.groups.named(key).size > 0) await announcer.memberEnd(key, either);
  });
}
