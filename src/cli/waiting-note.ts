import type { ExecgoClient, TaskView } from '../client/index.js';
import { LIMITS } from '../sandbox/limits/limits.js';
import type { RuntimeResources } from '../task/runtime-view.js';
import { formatAmount } from './units.js';
import { note } from './write.js';

/** How long a task may wait before its person is told, in milliseconds. */
const PATIENCE_MS = 1_000;

/**
 * Tells the person at a terminal once why a task does not start, if it has not within a second. Where standard error is no
 * terminal it says nothing: it is the task's then.
 */
export class WaitingNote {
  readonly #abort = new AbortController();

  /** @param taskId a task that has just been accepted */
  constructor(client: ExecgoClient, taskId: string) {
    if (!process.stderr.isTTY) return;
    const timer = setTimeout(() => {
      // Nothing depends on it: what is wrong with the daemon is told by what waits for the task itself.
      tell(client, taskId, this.#abort.signal).catch(() => undefined);
    }, PATIENCE_MS);
    this.#abort.signal.addEventListener('abort', () => {
      clearTimeout(timer);
    });
  }

  /** To be called when the task has ended, or is waited for no more. */
  stop(): void {
    this.#abort.abort();
  }
}

async function tell(client: ExecgoClient, taskId: string, signal: AbortSignal): Promise<void> {
  const resources = await client.resources({ signal });
  const task = await client.status(taskId, { signal });
  if (task.status === 'accepted')
    await note(`task ${taskId} waits: ${whyWaiting(task, resources)}; Ctrl-C cancels it`);
}

/** Why a task has not started yet, in words. */
export function whyWaiting(task: TaskView, resources: RuntimeResources): string {
  if (task.waiting !== undefined) return task.waiting.detail;
  const { capacity, available } = resources;
  const tenant = resources.tenants.find(({ tenant: name, quota }) => name === task.tenant && quota);
  return (
    shortage(task, capacity, available, '') ??
    shortage(task, tenant?.quota, tenant?.available, ` of tenant ${task.tenant ?? ''}`) ??
    'other tasks that wait come first'
  );
}

type Amounts = RuntimeResources['capacity'] | undefined;

function shortage({ limits }: TaskView, all: Amounts, free: Amounts, whose: string): string | undefined {
  if (all === undefined || free === undefined) return undefined;
  const slots = all.task_slots;
  if (free.task_slots < 1)
    return slots === 1 ? `the one slot${whose} is in use` : `all ${String(slots)} slots${whose} are in use`;
  for (const { name, reserves, flag } of LIMITS) {
    if (reserves === undefined) continue;
    const [asked, left] = [limits[name] ?? 0, free[reserves] ?? Infinity];
    const amount = (n: number) => formatAmount(n, flag);
    if (asked > left)
      return `--${flag.name} ${amount(asked)} is more than is free now${whose}, ${amount(left)} of ${amount(all[reserves] ?? 0)}`;
  }
  return undefined;
}
