import { Option, type Command } from 'commander';
import { command, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { packageVersion } from '../package-version.js';
import { UsageError } from '../usage-error.js';
import { settingList } from '../../settings/settings.js';
import { helpOf } from '../../settings/words.js';

/** `execgo serve`: only collects the flags; the configuration checks their values. */
export async function main(argv: readonly string[]): Promise<number> {
  const built = serveCommand();
  if (!parsed(built, argv)) return EXIT.ok;
  const { loadConfig } = await import('../../daemon/config.js');
  const config = loadConfig(built.opts(), process.env);
  const { runDaemon } = await import('../../daemon/run-daemon.js');
  await runDaemon(config, packageVersion());
  return EXIT.ok;
}

const append = (value: string, previous: string[] = []): string[] => [...previous, value];

/**
 * npm removes the flags that it knows from a command line and passes on what is left. @throws UsageError as {@link parse}
 * does
 */
function parsed(built: Command, argv: readonly string[]): boolean {
  try {
    return parse(built, argv);
  } catch (error) {
    if (!(error instanceof UsageError) || process.env['npm_lifecycle_event'] !== 'start') throw error;
    throw new UsageError(
      `${error.message}; with npm start, flags go after --: npm start -- --listen-addr 127.0.0.1:0`,
    );
  }
}

/** The flags have no defaults here: one that is missing may be in the environment, and `loadConfig` decides. */
function serveCommand(): Command {
  const built = command('serve', 'Runs the daemon.', [
    'execgo serve',
    'execgo serve --listen-addr 127.0.0.1:9000 --data-dir /var/lib/execgo --max-running-tasks 16',
    'execgo serve --tenant-quota search=slots:4,memory:8589934592 --tenant-quota ads=slots:2',
  ]);
  for (const [, setting] of settingList) {
    const option = new Option(setting.flag, helpOf(setting));
    built.addOption(setting.repeatable ? option.argParser(append) : option);
  }
  return built;
}
