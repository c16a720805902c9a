import { clientCommand, connect } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { groupLines } from '../group-options.js';
import { parsePage, printPage } from '../page.js';

interface Options {
  tenant?: string;
}

/** `execgo group list`: the groups of a tenant, for people and for programs. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand('group list', 'Lists the groups that have tasks, by name.', [
    'execgo group list --tenant ci',
  ]).option('--tenant <name>', 'whose groups; without it those of no tenant');
  const flags = parsePage<Options>(command, argv);
  if (flags === undefined) return EXIT.ok;
  const { server, tenant, limit, cursor, json } = flags;
  const page = await connect({ server }).groups({ tenant, limit, cursor });
  return printPage(page, json, ({ groups }) => groups.map((view) => groupLines(view)[0] ?? ''));
}
