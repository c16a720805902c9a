import type { ScheduleEdit } from '../client/index.js';
import { clientCommand, connect, parse } from './command.js';
import { ownerOption } from './each-task.js';
import { EXIT } from './exit-codes.js';
import { printSchedule } from './schedule-lines.js';

/** A command that changes one thing of the schedule that it names. @returns its exit code */
export async function editNamed(
  argv: readonly string[],
  name: string,
  summary: string,
  changes: ScheduleEdit,
): Promise<number> {
  const command = clientCommand(name, summary, [`execgo ${name} nightly`])
    .argument('<name>', 'the schedule')
    .addOption(ownerOption())
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const { server, owner, json } = command.opts<{ server: string; owner?: string; json?: boolean }>();
  const options = { owner: owner === '' ? undefined : owner };
  const view = await connect({ server }).editSchedule(command.args[0] ?? '', changes, options);
  await printSchedule(view, json === true);
  return EXIT.ok;
}
