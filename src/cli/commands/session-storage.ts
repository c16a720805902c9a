import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { storageCard } from '../session-lines.js';
import { inSessionFlags, tenantOption } from '../session-options.js';
import { isTerminal } from '../terminal.js';
import { printJson, printLines } from '../write.js';

interface Options {
  server: string;
  tenant?: string;
  refresh?: boolean;
  json?: boolean;
}

/** `execgo session storage`: what a session keeps, in some lines for people, the API's object for programs. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand(
    'session storage',
    'Shows how much a session keeps in its workspace, as it was when it was last looked at.',
    [
      'execgo session storage refactor-42',
      'execgo session storage refactor-42 --refresh --json | jq -r .digest',
    ],
  )
    .argument('<session>', 'the session')
    .option('--refresh', 'look anew, and wait for that')
    .addOption(tenantOption())
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const { server, tenant, refresh, json } = command.opts<Options>();
  const found = await inSessionFlags(() =>
    connect({ server }).sessions.storage(command.args[0] ?? '', { tenant, refresh }),
  );
  if (json === true || !isTerminal()) await printJson(found);
  else await printLines(storageCard(found, Date.now()));
  return EXIT.ok;
}
