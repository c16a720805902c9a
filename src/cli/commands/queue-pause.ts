import { clientCommand } from '../command.js';
import { setPaused } from '../queue-rule.js';

/** `execgo queue pause`: starts none of a queue's tasks until it is resumed. */
export function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand(
    'queue pause',
    "Starts none of a queue's tasks any more, and keeps them; those that run go on, and other queues are not held up.",
    ['execgo queue pause gpu'],
  );
  return setPaused(command, argv, true);
}
