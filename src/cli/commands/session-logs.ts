import { Option } from 'commander';
import type { OutputStream, SessionOutputBytes } from '../../client/index.js';
import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { inSessionFlags, tenantOption } from '../session-options.js';
import { noteOmitted } from '../stream-output.js';
import { plain } from '../terminal.js';
import { write } from '../write.js';

/** Bytes per request. */
const PAGE_BYTES = 1_048_576;

interface Options {
  server: string;
  tenant?: string;
  stream: OutputStream | 'both';
}

/** `execgo session logs`: what the tasks of a session have written, each under its name. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand(
    'session logs',
    'Shows the output of all tasks of a session, one after another, as far as they have written any: exact bytes, each stream to its own.',
    ['execgo session logs refactor-42', 'execgo session logs refactor-42 --stream stderr | less'],
  )
    .argument('<session>', 'the session')
    .addOption(new Option('--stream <stream>', 'which').choices(['stdout', 'stderr', 'both']).default('both'))
    .addOption(tenantOption());
  if (!parse(command, argv)) return EXIT.ok;
  const { server, tenant, stream } = command.opts<Options>();
  const { sessions } = connect({ server });
  const asked = { tenant, stream: stream === 'both' ? undefined : stream, limit: PAGE_BYTES };
  let after: string | undefined;
  let shown: string | undefined;
  for (let more = true; more;) {
    const page = await inSessionFlags(() => sessions.output(command.args[0] ?? '', { ...asked, after }));
    for (const piece of page.pieces) shown = await show(piece, shown);
    ({ next: after, more } = page);
  }
  return EXIT.ok;
}

/** @param shown whose output came before. @returns whose this is */
async function show(piece: SessionOutputBytes['pieces'][number], shown: string | undefined): Promise<string> {
  const { task_id, attempt, stream, omitted_bytes, data } = piece;
  const whose = attempt === 1 ? plain(task_id) : `${plain(task_id)}, attempt ${String(attempt)}`;
  if (whose !== shown) await write(process.stdout, `${shown === undefined ? '' : '\n'}==> ${whose} <==\n`);
  if (omitted_bytes !== undefined) await noteOmitted(stream, omitted_bytes);
  await write(stream === 'stdout' ? process.stdout : process.stderr, data);
  return whose;
}
