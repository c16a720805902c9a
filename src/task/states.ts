/** The five statuses that clients see. An existing client that sees any other word polls forever. */
export const TASK_STATUSES = ['accepted', 'running', 'success', 'failed', 'cancelled'] as const;
export type TaskStatus = (typeof TASK_STATUSES)[number];

export type TerminalStatus = Extract<TaskStatus, 'success' | 'failed' | 'cancelled'>;

/**
 * Every change of a task that is written down: the statuses that it starts from, and what each of them becomes. The one table
 * of legal changes; a status from which none leads is terminal.
 */
export const CHANGES = {
  /** Another plan, for what has not begun. */
  plan: { accepted: ['accepted'], running: ['running'] },
  /** Another request, in part, and the plan for it. */
  edit: { accepted: ['accepted'] },
  /** All that it has waited for is there: it may start. */
  release: { accepted: ['accepted'] },
  dispatch: { accepted: ['running'] },
  /** Another attempt in the place of one that never began. */
  relaunch: { running: ['running'] },
  /** Its process runs. */
  start: { running: ['running'] },
  /** It says how far it is. */
  progress: { running: ['running'] },
  pause: { running: ['running'] },
  resume: { running: ['running'] },
  /** Its attempt has failed, and it waits for another. */
  retry: { running: ['accepted'] },
  requestKill: { accepted: ['accepted'], running: ['running'] },
  timeOut: { running: ['running'] },
  end: { accepted: ['failed', 'cancelled'], running: ['success', 'failed', 'cancelled'] },
} as const satisfies Record<string, Partial<Record<TaskStatus, readonly TaskStatus[]>>>;
export type Change = keyof typeof CHANGES;

/** True when this change takes a task from the one status to the other, by {@link CHANGES}. */
export function isLegal(change: Change, from: TaskStatus, to: TaskStatus): boolean {
  const table: Partial<Record<TaskStatus, readonly TaskStatus[]>> = CHANGES[change];
  return table[from]?.includes(to) === true;
}

/** True for `success`, `failed` and `cancelled`. */
export function isTerminal(status: TaskStatus): status is TerminalStatus {
  return !Object.values(CHANGES).some((table) => status in table);
}
