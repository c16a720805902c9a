import { clientCommand, connect, parse } from '../command.js';
import { ownerOption } from '../each-task.js';
import { EXIT } from '../exit-codes.js';

/** `execgo schedule rm`: deletes a schedule. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand(
    'schedule rm',
    'Deletes a schedule with its history. Its tasks stay, and those that run go on.',
    ['execgo schedule rm nightly'],
  )
    .argument('<name>', 'the schedule')
    .addOption(ownerOption());
  if (!parse(command, argv)) return EXIT.ok;
  const { server, owner } = command.opts<{ server: string; owner?: string }>();
  await connect({ server }).deleteSchedule(command.args[0] ?? '', {
    owner: owner === '' ? undefined : owner,
  });
  return EXIT.ok;
}
