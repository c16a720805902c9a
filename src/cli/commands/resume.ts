import { turnTasks } from '../each-task.js';

/** `execgo resume`: lets paused tasks go on; those that run do so already. */
export function main(argv: readonly string[]): Promise<number> {
  return turnTasks(argv, 'resume', 'Lets paused tasks go on.', ['execgo resume build test']);
}
