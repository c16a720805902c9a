import { clientCommand } from '../command.js';
import { setPaused } from '../queue-rule.js';

/** `execgo queue resume`: starts a queue's tasks again. */
export function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand('queue resume', 'Starts the tasks of a queue again, in their order.', [
    'execgo queue resume gpu',
  ]);
  return setPaused(command, argv, false);
}
