import { ExecgoApiError } from '../../client/index.js';
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
  const { sessions } = connect({ server });
  const [id = ''] = command.args;
  const view = await inSessionFlags(() => sessions.get(id, { tenant }));
  if (json === true || !isTerminal()) await printJson(view);
  else {
    // What a session keeps is looked at for who wants to know. That it cannot be is no reason to show nothing.
    const storage =
      view.state === 'evicted' ? undefined : await sessions.storage(id, { tenant }).catch(nothing);
    await printLines(sessionCard({ ...view, storage }, Date.now()));
  }
  return EXIT.ok;
}

function nothing(error: unknown): undefined {
  if (!(error instanceof ExecgoApiError)) throw error;
}
