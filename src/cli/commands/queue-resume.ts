import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { changeRule, printQueue } from '../queue-rule.js';

/** `execgo queue resume`: starts a queue's tasks again. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand('queue resume', 'Starts the tasks of a queue again, in their order.', [
    'execgo queue resume gpu',
  ])
    .argument('<name>', 'the queue')
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const options = command.opts<{ server: string; json?: boolean }>();
  const view = await changeRule(connect(options), command.args[0] ?? '', (rule) => ({
    ...rule,
    paused: false,
  }));
  await printQueue(view, options.json === true);
  return EXIT.ok;
}
