import type { TaskSubmission } from '../../task/request.js';

/** The labels that tell of which schedule a task is, and of which due time. */
const LABELS = { schedule: 'execgo.schedule', due: 'execgo.due' } as const;

/** `20270301T030000Z`, with milliseconds where there are any: of one schedule no two due times have the same. */
function stamp(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]/g, '').replace('.000Z', 'Z');
}

/** The id of the task of a due time. */
export function taskIdOfDue(name: string, dueMs: number): string {
  return `${name}.${stamp(dueMs)}`;
}

/**
 * What is submitted for a due time: the body of the schedule, which tells the task in labels and variables of which schedule and
 * due time it is.
 */
export function bodyOfDue(
  task: TaskSubmission,
  { name, task_id, dueMs }: { name: string; task_id: string; dueMs: number },
): TaskSubmission {
  const due = new Date(dueMs).toISOString();
  const { execution, control_context: context } = task;
  return {
    ...task,
    task_id,
    execution: { ...execution, env: { ...execution.env, EXECGO_SCHEDULE: name, EXECGO_DUE_AT: due } },
    control_context: {
      ...context,
      labels: { ...context?.labels, [LABELS.schedule]: name, [LABELS.due]: due },
    },
  };
}
