import { clientCommand, connect, parse } from '../command.js';
import { ownerOption } from '../each-task.js';
import { EXIT } from '../exit-codes.js';
import { plain } from '../terminal.js';
import { note, printLines } from '../write.js';

/** `execgo schedule run`: submits the task of a schedule now, and prints its id. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand(
    'schedule run',
    'Submits the task of a schedule now, also while it is paused or its last one runs, and prints its id.',
    ['execgo schedule run nightly', 'execgo wait $(execgo schedule run nightly)'],
  )
    .argument('<name>', 'the schedule')
    .addOption(ownerOption());
  if (!parse(command, argv)) return EXIT.ok;
  const { server, owner } = command.opts<{ server: string; owner?: string }>();
  const options = { owner: owner === '' ? undefined : owner };
  const { task_id, warnings = [] } = await connect({ server }).runSchedule(command.args[0] ?? '', options);
  await printLines([plain(task_id)]);
  for (const warning of warnings) await note(warning);
  return EXIT.ok;
}
