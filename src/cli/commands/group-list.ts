import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { groupLines } from '../group-options.js';
import { isTerminal } from '../terminal.js';
import { parseCount } from '../units.js';
import { UsageError } from '../usage-error.js';
import { note, printJson, printLines } from '../write.js';

/** Groups of one request: the longest page that the API allows. */
const PAGE = 200;

interface Options {
  server: string;
  tenant?: string;
  limit?: number;
  cursor?: string;
  json?: boolean;
}

/** `execgo group list`: the groups of a tenant, for people and for programs. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand('group list', 'Lists the groups that have tasks, by name.', [
    'execgo group list --tenant ci',
  ])
    .option('--tenant <name>', 'whose groups; without it those of no tenant')
    .option('-n, --limit <n>', `how many at most; ${String(PAGE)} without it`, parseCount)
    .option('--cursor <cursor>', 'go on where next_cursor of an earlier answer left off')
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const { server, tenant, limit = PAGE, cursor, json } = command.opts<Options>();
  if (limit < 1 || limit > PAGE) throw new UsageError(`-n must be from 1 to ${String(PAGE)}`);
  const page = await connect({ server }).groups({ tenant, limit, cursor });
  if (json === true || !isTerminal()) {
    await printJson(page);
    return EXIT.ok;
  }
  await printLines(page.groups.map((view) => groupLines(view)[0] ?? ''));
  if (page.next_cursor !== undefined) await note(`there are more: --cursor ${page.next_cursor} shows them`);
  return EXIT.ok;
}
