import { ExecgoApiError, type ScheduleEdit } from '../../client/index.js';
import { clientCommand, connect, parse } from '../command.js';
import { ownerOption } from '../each-task.js';
import { EXIT } from '../exit-codes.js';
import { readWhole } from '../read-input.js';
import { printSchedule, SCHEDULE_FLAGS } from '../schedule-lines.js';
import {
  addScheduleOptions,
  localZone,
  rulesOf,
  splitCommand,
  type ScheduleOptions,
} from '../schedule-options.js';
import { parseCount } from '../units.js';
import { UsageError } from '../usage-error.js';

interface Options extends ScheduleOptions {
  server: string;
  owner?: string;
  ifVersion?: number;
  json?: string;
  file?: string;
}

/** `execgo schedule set`: changes what flags name of a schedule, and prints it. */
export async function main(argv: readonly string[]): Promise<number> {
  const { before, words } = splitCommand(argv);
  const built = clientCommand(
    'schedule set',
    'Changes what flags name of a schedule; all else stays. A command behind -- takes the place of the one that it has.',
    [
      "execgo schedule set nightly --cron '30 4 * * *'",
      'execgo schedule set poll --every 10m --overlap queue',
      'execgo schedule set nightly -- ./backup.sh --full',
      `execgo schedule set nightly --json '{"task":{"limits":{"memory_bytes":null}}}'`,
    ],
  )
    .usage('[options] <name> [-- <command...>]')
    .argument('<name>', 'the schedule')
    .option('--cron <expression>', "due at these times, such as '0 3 * * *'");
  const command = addScheduleOptions(built)
    .addOption(ownerOption())
    .option('--if-version <n>', 'only if it has this version, which "schedule show --json" tells', parseCount)
    .option('--json <changes>', 'all changes as JSON, instead of the flags above; null takes back')
    .option('--file <file>', 'the same from a file; - reads standard input');
  if (!parse(command, before)) return EXIT.ok;
  const options = command.opts<Options>();
  const { owner, ifVersion } = options;
  const changes = {
    ...changesOf(options, words),
    ...(ifVersion === undefined ? {} : { if_version: ifVersion }),
  };
  try {
    const name = command.args[0] ?? '';
    const view = await connect(options).editSchedule(name, changes, {
      owner: owner === '' ? undefined : owner,
    });
    await printSchedule(view, false);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof ExecgoApiError) || isWhole(options)) throw error;
    const { inFlags } = await import('../typed-flags.js');
    throw inFlags(error, { ...SCHEDULE_FLAGS, 'task.execution.program': 'the program' });
  }
}

const isWhole = ({ json, file }: Options) => json !== undefined || file !== undefined;

/** Flags that are allowed beside all changes as JSON, because they name none. */
const BESIDE_WHOLE = new Set(['json', 'file', 'server', 'owner', 'ifVersion']);

/** @throws UsageError when nothing is changed, or is in two ways */
function changesOf(options: Options, words: readonly string[] | undefined): ScheduleEdit {
  if (isWhole(options)) {
    if (words !== undefined || Object.keys(options).some((key) => !BESIDE_WHOLE.has(key)))
      throw new UsageError(
        '--json and --file hold all changes: give no other flags and no command beside them',
      );
    return readWhole(options);
  }
  const changes = { ...timing(options), ...rulesOf(options), ...task(words) };
  if (Object.keys(changes).length === 0)
    throw new UsageError('nothing to change: see execgo schedule set --help');
  return changes;
}

function timing({ cron, every, timezone }: Options): ScheduleEdit {
  if (cron !== undefined && every !== undefined) throw new UsageError('give --cron or --every, not both');
  if (every !== undefined) return { interval_ms: every };
  if (cron !== undefined) return { cron, timezone: timezone ?? localZone() };
  return timezone === undefined ? {} : { timezone };
}

function task(words: readonly string[] | undefined): ScheduleEdit {
  if (words === undefined) return {};
  const [program, ...args] = words;
  if (program === undefined) throw new UsageError('nothing to run: give a command after --');
  return { task: { execution: { kind: 'command', program, args, script: null, interpreter: null } } };
}
