/** The five statuses the outside world sees. Any other word makes an existing client poll forever. */
export const TASK_STATUSES = ['accepted', 'running', 'success', 'failed', 'cancelled'] as const;
export type TaskStatus = (typeof TASK_STATUSES)[number];

export type TerminalStatus = Extract<TaskStatus, 'success' | 'failed' | 'cancelled'>;

/** The one table of legal status changes; a status that maps to nothing is terminal. */
export const TRANSITIONS: Readonly<Record<TaskStatus, readonly TaskStatus[]>> = {
  accepted: ['running', 'cancelled', 'failed'],
  running: ['success', 'failed', 'cancelled'],
  success: [],
  failed: [],
  cancelled: [],
};

/** True when `from → to` is in {@link TRANSITIONS}. */
export function canTransition(from: TaskStatus, to: TaskStatus): boolean {
  return TRANSITIONS[from].includes(to);
}

/** True for `success`, `failed` and `cancelled`. */
export function isTerminal(status: TaskStatus): status is TerminalStatus {
  return TRANSITIONS[status].length === 0;
}
