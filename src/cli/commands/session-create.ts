import { Option } from 'commander';
import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { addSessionOptions, inSessionFlags, type SessionOptions } from '../session-options.js';
import { printJson, printLines } from '../write.js';

interface Options extends SessionOptions {
  server: string;
  tenant?: string;
  owner?: string;
  json?: boolean;
}

/** `execgo session create`: makes a session and prints its id. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = addSessionOptions(
    clientCommand(
      'session create',
      'Makes a session, and prints its id: a workspace that stays, and that tasks share, one after another.',
      [
        'execgo session create refactor-42 --title "Refactor the parser" --ttl 8h',
        'execgo submit --session refactor-42 -- sh -c "echo hello >note.txt"',
        'execgo run --session refactor-42 -- cat note.txt',
      ],
    )
      .argument('[id]', 'its id: letters, digits, "-", "_" and "."; a random one without it')
      .option('--tenant <name>', 'whose it is: tasks of another tenant find none')
      .addOption(
        new Option('--owner <name>', 'who alone may change and delete it').env('EXECGO_RUNTIME_OWNER'),
      ),
  ).option('--json', 'print the session as JSON');
  if (!parse(command, argv)) return EXIT.ok;
  const { server, tenant, owner, title, metadata, ttl, expiresAt, concurrency, json } =
    command.opts<Options>();
  const view = await inSessionFlags(() =>
    connect({ server }).sessions.create({
      session_id: command.args[0],
      tenant,
      owner: owner === '' ? undefined : owner,
      title,
      metadata,
      ttl_secs: ttl,
      expires_at: expiresAt,
      concurrency,
    }),
  );
  if (json === true) await printJson(view);
  else await printLines([view.session_id]);
  return EXIT.ok;
}
