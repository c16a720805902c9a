import { commandTable } from '../command-lines.js';
import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { insideTask } from '../inside-task.js';
import { isTerminal } from '../terminal.js';
import { parseCount } from '../units.js';
import { UsageError } from '../usage-error.js';
import { printJson, printLines } from '../write.js';

/** The longest page that the API allows. */
const PAGE = 200;

interface Options {
  server: string;
  after?: number;
  limit?: number;
  json?: boolean;
}

/** `execgo commands`: a table for people, the API's object for programs. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand(
    'commands',
    'Lists what was said to a task. Without an id, inside of a task: what it is still to do.',
    ['execgo commands my-task', 'execgo commands my-task --after 7 | jq ".commands[].status"'],
  )
    .argument('[id]', 'the task')
    .option('--after <seq>', 'only those with a greater number', parseCount)
    .option('-n, --limit <n>', `how many at most; ${String(PAGE)} without it`, parseCount)
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const { server, after, limit = PAGE, json } = command.opts<Options>();
  if (limit < 1 || limit > PAGE) throw new UsageError(`-n must be from 1 to ${String(PAGE)}`);
  const [id] = command.args;
  const which = { afterSeq: after, limit };
  const page =
    id === undefined
      ? await insideTask('name a task (execgo list shows the tasks there are)').commands(which)
      : await connect({ server }).commands.list(id, which);
  if (json === true || !isTerminal()) await printJson(page);
  else await printLines(commandTable(page, Date.now()));
  return EXIT.ok;
}
