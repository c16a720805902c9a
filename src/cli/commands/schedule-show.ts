import type { ScheduleView } from '../../client/index.js';
import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { runLine, scheduleLine } from '../schedule-lines.js';
import { isTerminal, plain } from '../terminal.js';
import { formatDuration } from '../units.js';
import { note, printJson, printLines } from '../write.js';

/** `execgo schedule show`: a schedule in some lines for people, the API's object for programs. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand(
    'schedule show',
    'Shows what holds of a schedule, when it is due next, and what became of its last due times.',
    ['execgo schedule show nightly', 'execgo schedule show nightly --json | jq .next'],
  )
    .argument('<name>', 'the schedule')
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const options = command.opts<{ server: string; json?: boolean }>();
  const view = await connect(options).schedule(command.args[0] ?? '');
  if (options.json === true || !isTerminal()) await printJson(view);
  else await printLines(scheduleCard(view, Date.now()));
  for (const warning of view.warnings ?? []) await note(warning);
  return EXIT.ok;
}

/** A schedule for people, line by line. @param now Unix time in milliseconds */
export function scheduleCard(view: ScheduleView, now: number): string[] {
  const { overlap, catch_up, catch_up_max: most, grace_ms, jitter_ms, running, next, runs } = view;
  const all = catch_up === 'all' ? ` (the last ${String(most)})` : '';
  return [
    scheduleLine(view, now),
    `  overlap ${overlap}, catch up ${catch_up}${all}, late after ${formatDuration(grace_ms)}${jitter_ms === 0 ? '' : `, up to ${formatDuration(jitter_ms)} later`}`,
    ...next.slice(1).map((at) => `  then ${at}`),
    ...running.map((id) => `  running: ${plain(id)}`),
    ...runs.map((run) => `  ${runLine(run)}`),
  ];
}
