import { setImmediate as nextTurn } from 'node:timers/promises';
import { crashPoint } from '../../executor/crash-point.js';
import type { Store } from '../../store/store.js';
import type { KillRequest } from '../live-tasks.js';
import { killTask, type KillingCore } from './kill.js';

/** How many children are looked at in one turn of the event loop. */
const PAGE = 500;
/** Before the first child, in the order of submission. */
const FIRST = Number.MIN_SAFE_INTEGER;

/**
 * Kills a task and all below it: its children, theirs, and so on. First it is written down that nothing may become a child of them any more, and a submit looks for that in its own
 * transaction: so each child is either there before, and found here, or refused. A daemon that dies meanwhile goes on with it at its next start.
 * @returns when the executor was told of all; the tasks may still run
 */
export async function killFamily(core: KillingCore, taskId: string, how: KillRequest): Promise<void> {
  const { store } = core;
  await store.commits.write(() => {
    store.family.markKilled(taskId);
    crashPoint('before_family_kill_commit');
  });
  crashPoint('after_family_kill_commit');
  const kills = [killOne(core, taskId, how)];
  for await (const id of below(store, taskId)) kills.push(killOne(core, id, how));
  await Promise.all(kills);
}

/** All below a task, nearer ones first. */
async function* below(store: Store, taskId: string): AsyncGenerator<string> {
  const open = [taskId];
  for (let parent = open.shift(); parent !== undefined; parent = open.shift()) {
    let after = FIRST;
    for (;;) {
      const children = store.family.children(parent, after, PAGE);
      for (const { task_id, submit_seq } of children) {
        after = submit_seq;
        open.push(task_id);
        yield task_id;
      }
      if (children.length === 0) break;
      await nextTurn();
      if (store.commits.closed) return;
    }
  }
}

async function killOne(core: KillingCore, taskId: string, how: KillRequest): Promise<void> {
  // What was committed a moment ago may not be in memory yet.
  for (let tries = 0; core.live.get(taskId) === undefined && tries < 100; tries++) {
    const status = core.store.tasks.status(taskId);
    if (status !== 'accepted' && status !== 'running') return;
    await nextTurn();
  }
  const task = core.live.get(taskId);
  if (task !== undefined) await killTask(core, task, how);
}

/** Goes on with what an earlier daemon has begun: kills what is below a task that was killed with its children. */
export function killLeftFamilies(core: KillingCore): void {
  for (const task of [...core.live.all()]) {
    const parent = task.record.request.control_context?.parent_task_id;
    if (parent === undefined || task.kill !== undefined) continue;
    if (core.store.family.ancestry(parent)?.isKilled === true)
      void killTask(core, task, {}).catch((err: unknown) => {
        core.log.error(
          { err, task_id: task.record.task_id },
          'cannot kill a child of a task that was killed',
        );
      });
  }
}
