import { ExecgoApiError, type ScheduleRequest } from '../../client/index.js';
import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { addTaskOptions, buildRequest, isWholeRequest, type RequestOptions } from '../request-options.js';
import { printSchedule, SCHEDULE_FLAGS } from '../schedule-lines.js';
import {
  addScheduleOptions,
  rulesOf,
  splitCommand,
  timingOf,
  type ScheduleOptions,
} from '../schedule-options.js';
import { UsageError } from '../usage-error.js';
import { note } from '../write.js';

interface Options extends RequestOptions, ScheduleOptions {
  server: string;
  paused?: boolean;
  printJson?: boolean;
}

/** `execgo schedule add`: makes a schedule, and prints it. */
export async function main(argv: readonly string[]): Promise<number> {
  const { before, words } = splitCommand(argv);
  const built = clientCommand(
    'schedule add',
    'Submits a command at every due time of a cron expression, or every so often: each due time once, whatever happens to the daemon.',
    [
      "execgo schedule add nightly '0 3 * * *' -- ./backup.sh",
      'execgo schedule add poll --every 10m --wall-time 5m -- ./poll.sh',
      "execgo schedule add report '0 9 * * MON-FRI' --timezone Europe/Berlin --catch-up last -- make report",
    ],
  )
    .usage('[options] <name> <cron> | --every <duration> -- <command...>')
    .allowExcessArguments()
    .argument('<name>', 'its name, which its tasks are called by')
    .argument(
      '[cron]',
      "minute, hour, day of the month, month, day of the week: '0 3 * * *' is 3:00 each day",
    );
  const command = addTaskOptions(
    addScheduleOptions(built).option('--paused', 'due times count only once it is resumed'),
  ).option('--print-json', 'print JSON on a terminal, too');
  if (!parse(command, before)) return EXIT.ok;
  const options = command.opts<Options>();
  const [name = '', cron, ...more] = command.args;
  if (more.length > 0)
    throw new UsageError(
      `too many words: put the cron expression in quotes, as '0 3 * * *', and the command behind --`,
    );
  const body: ScheduleRequest = {
    name,
    ...timingOf(cron, options),
    ...rulesOf(options),
    ...(options.paused === true ? { paused: true } : {}),
    task: buildRequest(options, words ?? []),
  };
  const client = connect(options);
  try {
    const view = await client.makeSchedule(body);
    await printSchedule(view, options.printJson === true);
    for (const warning of view.warnings ?? []) await note(warning);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof ExecgoApiError) || isWholeRequest(options)) throw error;
    const { inFlags, REQUEST_FLAGS } = await import('../typed-flags.js');
    const ofTask = Object.entries(REQUEST_FLAGS).flatMap(([field, flag]) => [
      [`task.${field}`, flag],
      [field, flag],
    ]);
    throw inFlags(error, {
      ...(Object.fromEntries(ofTask) as Record<string, string>),
      ...SCHEDULE_FLAGS,
      'task.policy.start_at': options.in === undefined ? '--at' : '--in',
    });
  }
}
