import { turnTasks } from '../each-task.js';

/** `execgo release`: lets tasks start that are held. */
export function main(argv: readonly string[]): Promise<number> {
  return turnTasks(argv, 'release', 'Lets tasks start that were submitted with --hold.', [
    'execgo release build test',
  ]);
}
