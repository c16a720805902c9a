import { turnTasks } from '../each-task.js';

/** `execgo pause`: stops running tasks; those that are paused stay so. */
export function main(argv: readonly string[]): Promise<number> {
  const summary =
    'Stops all processes of running tasks, and their wall time, until they are resumed or killed. Each keeps its slot.';
  return turnTasks(argv, 'pause', summary, ['execgo pause build', 'execgo pause build test --json']);
}
