import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { groupLines } from '../group-options.js';
import { isTerminal } from '../terminal.js';
import { printJson, printLines } from '../write.js';

/** `execgo group show`: a group in some lines for people, the API's object for programs. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand(
    'group show',
    'Shows how many tasks of a group wait, run and have ended, and which failed first.',
    ['execgo group show nightly', 'execgo group show nightly --tenant ci --json | jq .counts'],
  )
    .argument('<name>', 'the group')
    .option('--tenant <name>', 'whose group it is')
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const { server, tenant, json } = command.opts<{ server: string; tenant?: string; json?: boolean }>();
  const view = await connect({ server }).group(command.args[0] ?? '', { tenant });
  if (json === true || !isTerminal()) await printJson(view);
  else await printLines(groupLines(view));
  return EXIT.ok;
}
