import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { printTasks } from '../task-table.js';
import { isTerminal, paint, plain } from '../terminal.js';
import { formatDuration } from '../units.js';
import { printJson, printLines } from '../write.js';

/** `execgo snapshot`: how things are, on one screen. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand(
    'snapshot',
    'Shows how things are at this moment: how many tasks wait, run and have ended, and the first of each.',
    ['execgo snapshot', 'execgo snapshot --queue gpu --json | jq .next'],
  )
    .option('--queue <name>', 'only of this queue')
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const { server, queue, json } = command.opts<{ server: string; queue?: string; json?: boolean }>();
  const shot = await connect({ server }).snapshot({ queue });
  if (json === true || !isTerminal()) {
    await printJson(shot);
    return EXIT.ok;
  }
  const { counts, ended, oldest_waiting_ms: oldest } = shot;
  const whose =
    shot.queue === undefined ? '' : `queue ${plain(shot.queue)}${shot.paused === true ? ', paused' : ''}: `;
  await printLines([
    `${whose}${String(counts.running)} running (${String(shot.slots_in_use)} of ${String(shot.slots)} slots), ${String(counts.accepted)} waiting`,
    `ended: ${String(ended.success)} success, ${String(ended.failed)} failed, ${String(ended.cancelled)} cancelled`,
    `last minute: ${String(shot.started_per_minute)} started, ${String(shot.ended_per_minute)} ended`,
    ...(oldest === undefined ? [] : [`oldest waiting: ${formatDuration(oldest)}`]),
  ]);
  for (const [title, tasks] of Object.entries({ running: shot.running, next: shot.next, last: shot.last })) {
    if (tasks.length === 0) continue;
    await printLines(['', paint('bold', title)]);
    await printTasks(tasks);
  }
  return EXIT.ok;
}
