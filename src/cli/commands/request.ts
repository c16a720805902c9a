import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { printJson } from '../write.js';

/** `execgo request`: prints the request with which a task was submitted. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand(
    'request',
    'Prints the request of a task as JSON, as it was sent, with the values of its environment variables.',
    ['execgo request my-task', "execgo request my-task | jq 'del(.task_id)' | execgo submit --file -"],
  ).argument('<id>', 'the task');
  if (!parse(command, argv)) return EXIT.ok;
  const client = connect(command.opts<{ server: string }>());
  await printJson(await client.request(command.args[0] ?? ''));
  return EXIT.ok;
}
