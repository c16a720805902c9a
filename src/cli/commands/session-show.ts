import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { sessionCard } from '../session-lines.js';
import { inSessionFlags, tenantOption } from '../session-options.js';
import { isTerminal } from '../terminal.js';
import { printJson, printLines } from '../write.js';

/** `execgo session show`: a session in some lines for people, the API's object for programs. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand(
    'session show',
    'Shows a session: its state, what was said of it, its workspace, and counts of its tasks.',
    ['execgo session show refactor-42', 'execgo session show refactor-42 --json | jq .counts'],
  )
    .argument('<session>', 'the session')
    .addOption(tenantOption())
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const { server, tenant, json } = command.opts<{ server: string; tenant?: string; json?: boolean }>();
  const view = await inSessionFlags(() =>
    connect({ server }).sessions.get(command.args[0] ?? '', { tenant }),
  );
  if (json === true || !isTerminal()) await printJson(view);
  else await printLines(sessionCard(view, Date.now()));
  return EXIT.ok;
}
