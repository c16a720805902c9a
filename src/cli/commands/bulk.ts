import { Option } from 'commander';
import { ExecgoApiError, type BulkAnswer, type BulkRequest } from '../../client/index.js';
import { clientCommand, connect, parse } from '../command.js';
import { ownerOption } from '../each-task.js';
import { EXIT } from '../exit-codes.js';
import { addTaskConditions } from '../task-conditions.js';
import { isTerminal, plain } from '../terminal.js';
import { UsageError } from '../usage-error.js';
import { note, printJsonLine, printLines } from '../write.js';

/** What can be done. */
const ACTIONS = ['kill', 'delete', 'pause', 'resume', 'edit', 'release', 'retry'] as const;

interface Options {
  server: string;
  owner?: string;
  status?: string;
  cause?: string;
  tenant?: string;
  ofOwner?: string;
  queue?: string;
  lane?: string;
  session?: string;
  group?: string;
  label?: string;
  text?: string;
  createdAfter?: string;
  createdBefore?: string;
  finishedAfter?: string;
  finishedBefore?: string;
  reason?: string;
  changes?: string;
  dryRun?: boolean;
  json?: boolean;
}

/** `execgo bulk`: does one thing with all tasks that some conditions choose. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = addTaskConditions(
    clientCommand(
      'bulk',
      'Does one thing with all tasks that are named, or that the conditions choose. Exits with 1 when any was refused.',
      [
        'execgo bulk kill --queue gpu --status accepted --reason "wrong data" --dry-run',
        'execgo bulk delete --status failed --finished-before 7d',
        `execgo bulk edit --queue old --changes '{"control_context":{"queue":"new"}}'`,
      ],
    )
      .argument('<action>', `one of ${ACTIONS.join(', ')}`)
      .argument('[id...]', 'the tasks; without them those that the conditions choose')
      .addOption(ownerOption())
      .option('--status <words>', 'of those that it can be done with, only these; several with commas')
      .option('--cause <word>', 'why it ended, such as timeout or oom')
      .option('--tenant <name>', 'whose quota it counts against')
      .option('--of-owner <name>', 'whose it is'),
  )
    .option('--reason <text>', 'kill: why; kept with each task')
    .addOption(new Option('--changes <json>', 'edit: what is changed, as for execgo edit --json'))
    .option('--dry-run', 'do nothing, show what would be done')
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const options = command.opts<Options>();
  const [action = '', ...ids] = command.args;
  const request = requestOf(action, ids, options);
  const client = connect(options);
  let [done, refused] = [0, 0];
  let cursor: string | undefined;
  do {
    const answer = await client
      .actions({ ...request, cursor }, { owner: options.owner === '' ? undefined : options.owner })
      .catch(inFlags);
    if (options.json === true || !isTerminal()) await printJsonLine(answer);
    else await printItems(answer);
    done += answer.done;
    refused += answer.refused;
    cursor = answer.next_cursor;
  } while (cursor !== undefined);
  const what = options.dryRun === true ? `would ${action}` : action;
  if (isTerminal()) await note(`${what}: ${String(done)} done, ${String(refused)} refused`);
  return refused === 0 ? EXIT.ok : EXIT.failed;
}

/** @throws UsageError */
function requestOf(action: string, ids: readonly string[], options: Options): BulkRequest {
  const known = ACTIONS.find((name) => name === action);
  if (known === undefined)
    throw new UsageError(`"${action}" is no action: it is one of ${ACTIONS.join(', ')}`);
  const { cause, tenant, ofOwner, queue, lane, session, group, label, text, reason, changes, dryRun } =
    options;
  const conditions = {
    status: options.status?.split(',').map((word) => word.trim()),
    ...{ cause, tenant, owner: ofOwner, queue, lane, session_id: session, group, label, text },
    created_after: options.createdAfter,
    created_before: options.createdBefore,
    finished_after: options.finishedAfter,
    finished_before: options.finishedBefore,
  };
  const isChosen = Object.values(conditions).some((value) => value !== undefined);
  if (ids.length > 0 && isChosen) throw new UsageError('give ids or conditions, not both');
  if (ids.length === 0 && !isChosen)
    throw new UsageError('give ids, or a condition such as --queue or --status: nothing was done');
  return {
    action: known,
    // The daemon knows the allowed words, and its error names them.
    ...(isChosen ? { filter: conditions as BulkRequest['filter'] } : { ids: [...ids] }),
    ...{ reason, dry_run: dryRun },
    ...(changes === undefined ? {} : { changes: readChanges(changes) }),
  };
}

function readChanges(text: string): BulkRequest['changes'] {
  try {
    return JSON.parse(text) as BulkRequest['changes'];
  } catch (error) {
    throw new UsageError(`--changes is not valid JSON: ${(error as Error).message}`);
  }
}

async function printItems({ items, dry_run }: BulkAnswer): Promise<void> {
  await printLines(
    items.map((item) => {
      const { task_id } = item;
      if ('error' in item) return `${plain(task_id)}  refused: ${plain(refusal(item.error))}`;
      if (item.created !== undefined) return againLine(item.task_id, item.retried_as, item.created);
      return `${plain(item.task_id)}  ${item.deleted === true ? 'deleted' : (item.status ?? '')}${dry_run ? ' now' : ''}`;
    }),
  );
}

function againLine(taskId: string, retriedAs: string | undefined, created: boolean): string {
  if (retriedAs === undefined) return `${plain(taskId)}  would be run again`;
  return `${plain(taskId)}  ${created ? 'is run again as' : 'was run again before, as'} ${plain(retriedAs)}`;
}

/** With what a person can do about it. */
function refusal({ code, message }: { code: string; message: string }): string {
  return code === 'permission_denied' && message.includes('x-execgo-owner')
    ? `${message} (give it with --owner or EXECGO_RUNTIME_OWNER)`
    : message;
}

/** A refusal that names a field of the request names its flag instead. */
async function inFlags(error: unknown): Promise<never> {
  if (!(error instanceof ExecgoApiError)) throw error;
  const flags = await import('../typed-flags.js');
  const names = ['status', 'cause', 'tenant', 'queue', 'lane', 'group', 'label', 'text'];
  throw flags.inFlags(error, {
    ...Object.fromEntries(names.map((name) => [`filter.${name}`, `--${name}`])),
    ...{
      'filter.owner': '--of-owner',
      'filter.session_id': '--session',
      changes: '--changes',
      reason: '--reason',
    },
  });
}
