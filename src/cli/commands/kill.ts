import { ExecgoApiError, type ExecgoClient, type TaskView } from '../../client/index.js';
import { clientCommand, connect, parse } from '../command.js';
import { eachTask, ownerOption } from '../each-task.js';
import { EXIT } from '../exit-codes.js';
import { addGroupOptions, groupInstead, groupLines, type GroupOptions } from '../group-options.js';
import { isTerminal } from '../terminal.js';
import { parseSignal, signalFlag } from '../signal-name.js';
import { parseDuration } from '../units.js';
import { UsageError } from '../usage-error.js';
import { note, printJson, printLines } from '../write.js';

interface Options extends GroupOptions {
  server: string;
  owner?: string;
  signal?: number;
  grace?: number;
  reason?: string;
  wait?: boolean;
  children?: boolean;
  json?: boolean;
}

/** `execgo kill`: cancels tasks; those that have ended stay as they are. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = addGroupOptions(
    clientCommand('kill', 'Cancels tasks: TERM to all of their processes, KILL after the grace time.', [
      'execgo kill my-task',
      'execgo kill --reason "wrong data set" my-task',
      'execgo kill --signal INT --grace 30s --wait build test',
      'execgo kill --group nightly',
    ]).argument('[id...]', 'the tasks'),
  )
    .addOption(ownerOption())
    .option('--signal <signal>', 'the first signal, by name or number; TERM without it', parseSignal)
    .option('--grace <duration>', "from the first signal to KILL; the daemon's own without it", parseDuration)
    .option('--children', 'kill their children, too, and theirs, whether they have ended or not')
    .option('--reason <text>', 'why: kept with the task, and shown')
    .option('--wait', 'return when the tasks have ended')
    .option('--json', 'print JSON on a terminal, too');
  refuseSignalFlags(argv);
  if (!parse(command, argv)) return EXIT.ok;
  const options = command.opts<Options>();
  const group = groupInstead(options, command.args);
  const client = connect(options);
  if (group !== undefined) return killGroup(client, group, options);
  const kill = async (id: string): Promise<TaskView> => {
    const { owner, reason, signal, grace: graceMs, children } = options;
    const view = await client.kill(id, {
      owner: owner === '' ? undefined : owner,
      reason,
      signal,
      graceMs,
      children,
    });
    return options.wait === true ? client.wait(id) : view;
  };
  return eachTask(command.args, options.json === true, kill, inFlags);
}

async function killGroup(client: ExecgoClient, group: string, options: Options): Promise<number> {
  const { tenant, reason, signal, grace: graceMs } = options;
  const owner = options.owner === '' ? undefined : options.owner;
  const { killed, refused, ...view } = await client.killGroup(group, {
    tenant,
    owner,
    reason,
    signal,
    graceMs,
  });
  const then = options.wait === true ? await client.waitGroup(group, { tenant }) : view;
  if (options.json === true || !isTerminal()) await printJson({ ...then, killed, refused });
  else await printLines(groupLines(then));
  if (refused === 0) return EXIT.ok;
  await note(`${String(refused)} tasks have another owner: give it with --owner or EXECGO_RUNTIME_OWNER`);
  return EXIT.failed;
}

/** kill(1) accepts `-9` and `-KILL`, which would be read as flags here. @throws UsageError that says what to type instead */
function refuseSignalFlags(argv: readonly string[]): void {
  const end = argv.indexOf('--');
  for (const word of end === -1 ? argv : argv.slice(0, end)) {
    const name = signalFlag(word);
    if (name !== undefined)
      throw new UsageError(`${word} is no flag of execgo kill: write --signal ${name}, and nothing was done`);
  }
}

/** A refusal that names a parameter of the API names what was typed for it instead. */
async function inFlags(error: unknown): Promise<unknown> {
  if (!(error instanceof ExecgoApiError)) return error;
  const flags = await import('../typed-flags.js');
  return flags.inFlags(error, { grace_ms: '--grace', reason: '--reason' });
}
