import { Option } from 'commander';
import { ExecgoTimeoutError, type ExecgoClient, type GroupView, type TaskView } from '../../client/index.js';
import { clientCommand, connect, parse } from '../command.js';
import { printStatuses } from '../each-task.js';
import { EXIT, exitCodeOf } from '../exit-codes.js';
import { addGroupOptions, groupInstead, groupLines, type GroupOptions } from '../group-options.js';
import { isTerminal } from '../terminal.js';
import { parseCount } from '../units.js';
import { note, printJson, printLines } from '../write.js';

interface Options extends GroupOptions {
  server: string;
  timeoutMs?: number;
  exitZero?: boolean;
  any?: boolean;
  json?: boolean;
}

/** `execgo wait`: returns once all the tasks have ended, or any of them, with the exit code of the first of them that did not succeed. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = addGroupOptions(
    clientCommand(
      'wait',
      'Waits until tasks have ended. Exits with 0 when all succeeded, else with the code of the first that did not.',
      [
        'execgo wait build && execgo submit -- ./deploy.sh',
        'execgo wait --exit-zero --timeout-ms 60000 build test; execgo status test',
        'execgo wait --any one two three',
        'execgo wait --group nightly',
      ],
    ).argument('[id...]', 'the tasks'),
  )
    .option('--timeout-ms <n>', 'exit 124 when they have not ended after so many milliseconds', parseCount)
    .option('--any', 'return when the first of them has ended, and show those that have')
    .option('--exit-zero', 'exit with 0 when they have ended, however they did')
    .addOption(new Option('--poll-interval-ms <n>', 'accepted and not needed').hideHelp())
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const options = command.opts<Options>();
  const client = connect(options);
  const { timeoutMs } = options;
  const group = groupInstead(options, command.args);
  try {
    if (group !== undefined) return await waitForGroup(client, group, options);
    const views = await (options.any === true ? firstEnded : allEnded)(client, command.args, timeoutMs);
    await printStatuses(views, options.json === true);
    const failed = views.find((view) => view.status !== 'success');
    return failed === undefined || options.exitZero === true ? EXIT.ok : exitCodeOf(failed);
  } catch (error) {
    client.close();
    if (!(error instanceof ExecgoTimeoutError)) throw error;
    await note(error.message);
    return EXIT.timeout;
  }
}

async function waitForGroup(client: ExecgoClient, group: string, options: Options): Promise<number> {
  const { tenant, timeoutMs } = options;
  await client.group(group, { tenant });
  const view = await client.waitGroup(group, { tenant, timeoutMs });
  if (options.json === true || !isTerminal()) await printJson(view);
  else await printLines(groupLines(view));
  return options.exitZero === true ? EXIT.ok : exitCodeOfGroup(view);
}

/** That of the task that failed first. */
function exitCodeOfGroup({ counts, failures: [first] }: GroupView): number {
  if (first !== undefined) return exitCodeOf({ ...first, status: 'failed' });
  return counts.failed + counts.cancelled === 0 ? EXIT.ok : EXIT.none;
}

async function allEnded(
  client: ExecgoClient,
  ids: readonly string[],
  timeoutMs: number | undefined,
): Promise<TaskView[]> {
  return Promise.all(
    ids.map(async (id) => {
      // Waiting goes on while a daemon restarts, so first report an unknown task, or a daemon that is not there at all.
      await client.status(id);
      return client.wait(id, { timeoutMs });
    }),
  );
}

/** Those that have ended once one has. */
async function firstEnded(
  client: ExecgoClient,
  ids: readonly string[],
  timeoutMs: number | undefined,
): Promise<TaskView[]> {
  await client.health();
  const { tasks } = await client.waitForSome(ids, { mode: 'any', timeoutMs });
  const ended = tasks.filter(({ status }) => status !== 'accepted' && status !== 'running');
  return Promise.all(ended.map(({ task_id }) => client.status(task_id, { patient: true })));
}
