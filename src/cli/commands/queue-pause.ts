import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { changeRule, printQueue } from '../queue-rule.js';

/** `execgo queue pause`: starts none of a queue's tasks until it is resumed. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand(
    'queue pause',
    "Starts none of a queue's tasks any more, and keeps them; those that run go on, and other queues are not held up.",
    ['execgo queue pause gpu'],
  )
    .argument('<name>', 'the queue')
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const options = command.opts<{ server: string; json?: boolean }>();
  const view = await changeRule(connect(options), command.args[0] ?? '', (rule) => ({
    ...rule,
    paused: true,
  }));
  await printQueue(view, options.json === true);
  return EXIT.ok;
}
