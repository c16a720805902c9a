import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { isTerminal } from '../terminal.js';
import { printJson, printLines } from '../write.js';

/** `execgo status`: one task, as a card for people or as JSON. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand('status', 'Shows a task: JSON when standard output is not a terminal.', [
    'execgo status my-task',
    'execgo status my-task --json | jq .exit_code',
    'execgo status --tree my-task',
  ])
    .argument('<id>', 'the task')
    .option('--tree', 'with its children, and theirs')
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const options = command.opts<{ server: string; tree?: boolean; json?: boolean }>();
  const view = await connect(options).status(command.args[0] ?? '', { tree: options.tree });
  if (options.json === true || !isTerminal()) {
    await printJson(view);
  } else if (options.tree === true) {
    const { taskTree } = await import('../card.js');
    await printLines(taskTree(view));
  } else {
    const { taskCard } = await import('../card.js');
    await printLines(taskCard(view, Date.now()));
  }
  return EXIT.ok;
}
