import { command, parse } from '../command.js';
import { dataDirOf, dataDirOption } from '../data-dir.js';
import { EXIT } from '../exit-codes.js';
import { isTerminal } from '../terminal.js';
import { formatSize } from '../units.js';
import { printLines } from '../write.js';

/** `execgo backup`: a consistent copy of the database, whether a daemon runs or not. */
export async function main(argv: readonly string[]): Promise<number> {
  const built = command('backup', 'Copies the database to a new file, also while a daemon works with it.', [
    'execgo backup /backups/runtime.db',
    'execgo backup --data-dir /var/lib/execgo "/backups/$(date +%F).db"',
  ])
    .argument('<file>', 'the copy; must not exist yet')
    .addOption(dataDirOption());
  if (!parse(built, argv)) return EXIT.ok;
  const [target = ''] = built.args;
  const { backUp } = await import('../../offline/backup.js');
  const bytes = await backUp(dataDirOf(built.opts()), target);
  if (isTerminal()) await printLines([`${target}: ${formatSize(bytes)}`]);
  return EXIT.ok;
}
