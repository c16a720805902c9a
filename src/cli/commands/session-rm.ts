import { clientCommand, connect, parse } from '../command.js';
import { ownerOption } from '../each-task.js';
import { EXIT } from '../exit-codes.js';
import { explain } from '../explain.js';
import { inSessionFlags, tenantOption } from '../session-options.js';
import { note } from '../write.js';

// The message of a conflict says what can be done.
const HINTS = { conflict: undefined };

interface Options {
  server: string;
  tenant?: string;
  owner?: string;
  force?: boolean;
}

/** `execgo session rm`: deletes sessions with their files. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand(
    'session rm',
    'Deletes sessions with their files. One whose tasks have not all ended stays, unless --force ends them.',
    ['execgo session rm refactor-42', 'execgo session rm refactor-42 --force'],
  )
    .argument('<sessions...>', 'the sessions')
    .option('-f, --force', 'kill its tasks first')
    .addOption(tenantOption())
    .addOption(ownerOption());
  if (!parse(command, argv)) return EXIT.ok;
  const { server, tenant, owner, force } = command.opts<Options>();
  const client = connect({ server });
  let code: number = EXIT.ok;
  for (const id of command.args)
    try {
      const how = { tenant, owner: owner === '' ? undefined : owner, force };
      const { deleted } = await inSessionFlags(() => client.sessions.delete(id, how));
      if (!deleted) await note(`session ${id}: its tasks are being ended, and it goes with the last of them`);
    } catch (error) {
      await note(explain(error, HINTS));
      code = EXIT.failed;
    }
  return code;
}
