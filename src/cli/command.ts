import { Command, CommanderError, Option } from 'commander';
import { ExecgoClient } from '../client/index.js';
import { isLocalServer } from '../client/server-address.js';
import { LISTEN_ADDR } from '../settings/defaults.js';
import { UnknownOption, UsageError } from './usage-error.js';

/** The address of the daemon when nothing else is given. */
export const DEFAULT_SERVER = `http://${LISTEN_ADDR}`;

/** A commander command that throws instead of exiting, and has examples in its help. */
export function command(name: string, summary: string, examples: readonly string[]): Command {
  const built = new Command(`execgo ${name}`)
    .description(summary)
    .helpOption('-h, --help', 'show this help')
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .showSuggestionAfterError();
  if (examples.length > 0)
    built.addHelpText('after', `\nExamples:\n${examples.map((example) => `  ${example}\n`).join('')}`);
  return built;
}

/** As {@link command}, with the daemon's address as an option. */
export function clientCommand(name: string, summary: string, examples: readonly string[]): Command {
  return command(name, summary, examples).addOption(
    new Option('--server <url>', 'the daemon: http://host:port or unix:/path/to/socket')
      .env('EXECGO_RUNTIME_URL')
      .default(DEFAULT_SERVER),
  );
}

/**
 * Parses the arguments after the command's name. @returns false when help was asked for and has been printed. @throws
 * UsageError
 */
export function parse(built: Command, argv: readonly string[]): boolean {
  try {
    built.parse(argv, { from: 'user' });
    return true;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return false;
    const message = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
    const [, typed] = /^unknown option '(--[^']*)'/.exec(message) ?? [];
    if (typed !== undefined) {
      const known = built.options.flatMap(({ long }) => long ?? []);
      throw new UnknownOption(message, typed, known, `see ${built.name()} --help`);
    }
    const isTask = error.code === 'commander.missingArgument' && message.endsWith("'id'");
    const where = isTask ? ' (execgo list shows the tasks there are)' : '';
    throw new UsageError(`${message}${where}; see ${built.name()} --help`);
  }
}

/** @throws UsageError when `--server` is not an address. */
export function connect(options: { server: string }): ExecgoClient {
  return withServer(options, (server) => new ExecgoClient({ server }));
}

/** True when the daemon's address is one of this machine. @throws UsageError when `--server` is not an address. */
export function isLocal(options: { server: string }): boolean {
  return withServer(options, isLocalServer);
}

function withServer<T>({ server }: { server: string }, use: (server: string) => T): T {
  try {
    return use(server === '' ? DEFAULT_SERVER : server);
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(error.message);
    throw error;
  }
}
