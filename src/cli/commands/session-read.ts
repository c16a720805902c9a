import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { explain } from '../explain.js';
import { inSessionFlags, tenantOption } from '../session-options.js';
import { isTerminal, plain } from '../terminal.js';
import { parseCount } from '../units.js';
import { UsageError } from '../usage-error.js';
import { note, printJsonLine, printLines } from '../write.js';

interface Options {
  server: string;
  tenant?: string;
  reader?: string;
  upTo?: number;
  upToVersion?: number;
  json?: boolean;
}

/** `execgo session read`: says that somebody has seen sessions as they are. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand(
    'session read',
    'Says that a reader has seen sessions as they are: session list --unread-by shows them again when they change or something happens in them.',
    ['execgo session read --reader alice refactor-42', 'execgo session list --unread-by alice'],
  )
    .argument('<sessions...>', 'the sessions')
    .option('--reader <name>', 'who has seen them')
    .option('--up-to <seq>', 'the last event that was seen; the last one without it', parseCount)
    .option('--up-to-version <n>', 'the version that was seen; the present one without it', parseCount)
    .addOption(tenantOption())
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const { server, tenant, reader, upTo, upToVersion, json } = command.opts<Options>();
  if (reader === undefined || reader === '') throw new UsageError('say who has seen them with --reader');
  const { sessions } = connect({ server });
  let code: number = EXIT.ok;
  for (const id of command.args)
    try {
      const how = { tenant, eventSeq: upTo, version: upToVersion };
      const mark = await inSessionFlags(() => sessions.markRead(id, reader, how));
      if (json === true || !isTerminal()) await printJsonLine(mark);
      else
        await printLines([
          `${plain(mark.session_id)}  seen up to version ${String(mark.version)} and event ${String(mark.event_seq)}`,
        ]);
    } catch (error) {
      await note(`${plain(id)}: ${explain(error)}`);
      code = EXIT.failed;
    }
  return code;
}
