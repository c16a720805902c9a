import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { explain } from '../explain.js';
import { isTerminal, plain } from '../terminal.js';
import { parseCount } from '../units.js';
import { UsageError } from '../usage-error.js';
import { note, printJsonLine, printLines } from '../write.js';

interface Options {
  server: string;
  reader?: string;
  upTo?: number;
  json?: boolean;
}

/** `execgo read`: says that somebody has seen tasks as they are. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand(
    'read',
    'Says that a reader has seen tasks as they are: list --unread-by shows them again when they change.',
    ['execgo read --reader alice build test', 'execgo list --unread-by alice'],
  )
    .argument('<id...>', 'the tasks')
    .option('--reader <name>', 'who has seen them')
    .option('--up-to <version>', 'the version that was seen; the present one without it', parseCount)
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const { server, reader, upTo, json } = command.opts<Options>();
  if (reader === undefined || reader === '') throw new UsageError('say who has seen them with --reader');
  const client = connect({ server });
  const results = await Promise.allSettled(
    command.args.map((id) => client.markRead(id, reader, { version: upTo })),
  );
  for (const [i, result] of results.entries()) {
    if (result.status === 'rejected')
      await note(`${plain(command.args[i] ?? '')}: ${explain(result.reason)}`);
    else if (json === true || !isTerminal()) await printJsonLine(result.value);
    else
      await printLines([
        `${plain(result.value.task_id)}  seen up to version ${String(result.value.version)}`,
      ]);
  }
  return results.every(({ status }) => status === 'fulfilled') ? EXIT.ok : EXIT.failed;
}
