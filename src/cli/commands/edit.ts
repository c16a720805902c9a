import { ExecgoApiError, type TaskEdit } from '../../client/index.js';
import { clientCommand, connect, parse } from '../command.js';
import { eachTask, ownerOption } from '../each-task.js';
import {
  addEditableOptions,
  givenAfter,
  givenLimits,
  group,
  type EditableOptions,
} from '../editable-options.js';
import { EXIT } from '../exit-codes.js';
import { startAtOf } from '../start-time.js';
import { readWhole } from '../read-input.js';
import { parseCount } from '../units.js';
import { UsageError } from '../usage-error.js';

interface Options extends EditableOptions {
  server: string;
  owner?: string;
  ifVersion?: number;
  json?: string;
  file?: string;
}

/** `execgo edit`: changes a task that waits, and prints its status. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = addEditableOptions(
    clientCommand(
      'edit',
      'Changes a task that waits: what the flags name. All else stays, also where a flag says what holds without it.',
      [
        'execgo edit my-task --priority 10',
        'execgo edit my-task --at "tomorrow 8:00"',
        'execgo edit my-task --memory 2G --label urgent=yes --if-version 48',
        `execgo edit my-task --json '{"limits":{"memory_bytes":null},"policy":{"demands":{"tags":["gpu"]}}}'`,
      ],
    ).argument('<id>', 'the task'),
  )
    .option('--hold', 'do not start it before it is released')
    .option('--no-hold', 'release it, as "execgo release" does')
    .addOption(ownerOption())
    .option('--if-version <n>', 'only if the task has this version, which a status shows', parseCount)
    .option('--json <changes>', 'all changes as JSON, instead of the flags above; null takes back')
    .option('--file <file>', 'the same from a file; - reads standard input');
  if (!parse(command, argv)) return EXIT.ok;
  const options = command.opts<Options>();
  const changes = changesOf(options);
  const owner = options.owner === '' ? undefined : options.owner;
  const client = connect(options);
  const edit = (id: string) => client.edit(id, changes, { owner });
  return eachTask(command.args, false, edit, isWhole(options) ? undefined : inFlags);
}

/** A refusal that names a field of the request names its flag instead. */
async function inFlags(error: unknown): Promise<unknown> {
  if (!(error instanceof ExecgoApiError)) return error;
  const flags = await import('../typed-flags.js');
  return flags.inFlags(error, flags.REQUEST_FLAGS);
}

const isWhole = ({ json, file }: Options) => json !== undefined || file !== undefined;

/** Flags that are allowed beside all changes as JSON, because they name none. */
const BESIDE_WHOLE = new Set(['json', 'file', 'server', 'owner', 'ifVersion']);

/** @throws UsageError when the flags name no change, or name changes in two ways */
function changesOf(options: Options): TaskEdit {
  const version = options.ifVersion === undefined ? {} : { if_version: options.ifVersion };
  if (isWhole(options)) return { ...wholeEdit(options), ...version };
  const { priority, queue, lane, label: labels, metadata } = options;
  const changes: TaskEdit = {
    ...group('limits', givenLimits(options)),
    ...group('policy', {
      priority,
      start_at: startAtOf(options, Date.now()),
      hold: options.hold,
      after: givenAfter(options),
    }),
    ...group('control_context', { queue, lane, labels }),
    ...(metadata === undefined ? {} : { metadata }),
  };
  if (Object.keys(changes).length === 0)
    throw new UsageError('nothing to change: give a flag such as --priority, --json or --file');
  return { ...changes, ...version };
}

function wholeEdit(options: Options): TaskEdit {
  if (Object.keys(options).some((key) => !BESIDE_WHOLE.has(key)))
    throw new UsageError('--json and --file hold all changes: give no flags of a task beside them');
  return readWhole(options);
}
