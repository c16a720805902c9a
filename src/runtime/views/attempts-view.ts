import { attemptNumber, endOf, type PastAttempt, type TaskRecord } from '../../store/records.js';
import type { Store } from '../../store/store.js';
import type { AttemptView, TaskView, Usage } from '../../task/view.js';
import { optionalTime, timestamp } from './timestamp.js';

/** The attempts of a task before the one in its row. */
export function pastAttempts({ attempts }: Pick<Store, 'attempts'>, task: TaskRecord): PastAttempt[] {
  return task.past_attempts === 0 ? [] : attempts.ofTask(task.task_id);
}

/** The attempts of a task that have ended, and what those have used together. */
export function attemptsView(
  task: TaskRecord,
  past: readonly PastAttempt[],
): Pick<TaskView, 'attempts' | 'usage_total'> {
  const attempts = [...past.map(attemptView), ...lastAttempt(task)];
  return {
    attempts: attempts.length > 0 ? attempts : undefined,
    usage_total: past.length > 0 ? totalOf(attempts.flatMap(({ usage }) => usage ?? [])) : undefined,
  };
}

function attemptView({ started_at_ms, finished_at_ms, warnings: _, ...attempt }: PastAttempt): AttemptView {
  return {
    ...attempt,
    started_at: optionalTime(started_at_ms),
    finished_at: timestamp(finished_at_ms),
  };
}

/** The one in the row, if it has ended: a task may end before it has one, or while it waits for another. */
function lastAttempt(task: TaskRecord): AttemptView[] {
  const ended = endOf(task);
  if (ended?.attempt === undefined) return [];
  const { cause, exit_code, exit_signal, usage, error, stdout_bytes, stderr_bytes } = ended;
  return [
    {
      attempt: attemptNumber(task),
      ...{ cause, exit_code, exit_signal, usage, error, stdout_bytes, stderr_bytes },
      started_at: optionalTime(ended.process?.started_at_ms),
      finished_at: timestamp(ended.finished_at_ms),
    },
  ];
}

/** What adds up; of all else, which are peaks, the greatest. */
const SUMS: readonly string[] = ['duration_ms', 'user_cpu_ms', 'system_cpu_ms', 'oom_kills'];

function totalOf(usages: readonly Usage[]): Usage | undefined {
  if (usages.length === 0) return undefined;
  const total: Record<string, number> = { duration_ms: 0 };
  for (const usage of usages)
    for (const [name, value] of Object.entries(usage))
      total[name] = SUMS.includes(name) ? (total[name] ?? 0) + value : Math.max(total[name] ?? 0, value);
  return total as Usage;
}
