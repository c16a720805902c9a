import { setImmediate as nextTurn } from 'node:timers/promises';
import type { TaskNode } from '../../task/view.js';
import type { Core } from '../core.js';
import { taskSummary } from './task-view.js';
import { waitingOf, type WaitingCore } from './waiting-view.js';

/** How many tasks a tree shows in all, and how many are read in one turn of the event loop. */
const SHOWN_MAX = 1000;
const PAGE = 100;
/** Before the first child, in the order of submission. */
const FIRST = Number.MIN_SAFE_INTEGER;

type Branch = Pick<TaskNode, 'children' | 'more_children'>;

/** What is below a task, in the order of submission: nearer ones first, where not all are shown. */
export async function treeBelow(
  core: Pick<Core, 'live' | 'store'> & WaitingCore,
  taskId: string,
): Promise<Branch> {
  const root: Branch = {};
  const open: { id: string; branch: Branch }[] = [{ id: taskId, branch: root }];
  let left = SHOWN_MAX;
  for (let next = open.shift(); next !== undefined; next = open.shift()) {
    const { id, branch } = next;
    let after = FIRST;
    for (;;) {
      const limit = Math.min(PAGE, left + 1);
      const records = core.store.family.childRecords(id, after, limit);
      for (const stored of records) {
        if (left === 0) {
          branch.more_children = true;
          break;
        }
        left--;
        after = stored.submit_seq;
        const record = core.live.get(stored.task_id)?.record ?? stored;
        const node: TaskNode = taskSummary(record, waitingOf(core, record));
        (branch.children ??= []).push(node);
        open.push({ id: record.task_id, branch: node });
      }
      if (records.length < limit || branch.more_children === true) break;
      await nextTurn();
    }
  }
  return root;
}
