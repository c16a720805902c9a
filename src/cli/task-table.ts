import type { TaskSummary } from '../client/index.js';
import { progressText } from '../task/progress-text.js';
import { ending } from './card.js';
import { cut, table, type Cell } from './table.js';
import { paint, paintStatus, plain, terminalWidth } from './terminal.js';
import { formatDuration } from './units.js';
import { printLines } from './write.js';

const HEADER = ['TASK', 'STATUS', 'WHY', 'AGE', 'TOOK', 'QUEUE', 'COMMAND'];
/** What is left out where there is little room, in this order. */
const YIELDING = ['QUEUE', 'TOOK', 'AGE', 'WHY'].map((title) => HEADER.indexOf(title));

/** Prints tasks as a table, one line each. */
export async function printTasks(tasks: readonly TaskSummary[]): Promise<void> {
  const now = Date.now();
  const rows = tasks.map((task) => cells(task, now));
  await printLines(table(HEADER, rows, terminalWidth(), YIELDING));
}

function cells(task: TaskSummary, now: number): Cell[] {
  return [
    { text: plain(task.task_id), paint: (s) => paint('bold', s) },
    task.paused === true
      ? { text: 'paused', paint: (s) => paint('yellow', s) }
      : { text: task.status, paint: (s) => paintStatus(task.status, s.length) },
    { text: why(task) },
    { text: formatDuration(Math.max(0, now - Date.parse(task.created_at))) },
    { text: task.duration_ms === undefined ? '' : formatDuration(task.duration_ms) },
    { text: plain(task.queue) },
    { text: plain(task.command) },
  ];
}

/** How many characters of what a task says of itself stand in a table. */
const PROGRESS_SHOWN = 32;

/** Why it waits, how far it says that it is, or how it has ended. */
function why(task: TaskSummary): string {
  if (task.waiting !== undefined) return task.waiting.reason;
  const said =
    task.status === 'running' && task.progress !== undefined ? progressText(task.progress) : undefined;
  if (said === undefined) return ending(task);
  return cut(plain(said), PROGRESS_SHOWN);
}
