import type { ExecgoClient, GroupRetryItem, RetryAnswer } from '../../client/index.js';
import { clientCommand, connect, parse } from '../command.js';
import { ownerOption } from '../each-task.js';
import { EXIT } from '../exit-codes.js';
import { explain } from '../explain.js';
import { addGroupOptions, groupInstead, type GroupOptions } from '../group-options.js';
import { isTerminal, plain } from '../terminal.js';
import { UsageError } from '../usage-error.js';
import { note, printJson, printLines } from '../write.js';

/** Tasks of a group per request. */
const PAGE = 500;
/** How many refusals are shown. */
const REFUSALS_SHOWN = 20;

interface Options extends GroupOptions {
  server: string;
  owner?: string;
  again?: boolean;
  failed?: boolean;
  cancelled?: boolean;
  json?: boolean;
}

/** `execgo retry`: runs tasks that have ended again, as new ones, and prints the ids of those. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = addGroupOptions(
    clientCommand(
      'retry',
      'Runs tasks that have ended again, as new ones with the same requests, and prints their ids: once each, however often it is asked.',
      [
        'execgo retry my-task',
        'execgo wait $(execgo retry my-task)',
        'execgo retry --failed --group nightly',
      ],
    ).argument('[id...]', 'the tasks'),
  )
    .option('--failed', 'with --group: what failed, and what was cancelled because of that')
    .option('--cancelled', 'with --group: all that was cancelled, too')
    .option('--again', 'also what was run again before')
    .addOption(ownerOption())
    .option('--json', 'print the answers as JSON');
  if (!parse(command, argv)) return EXIT.ok;
  const options = command.opts<Options>();
  const group = groupInstead(options, command.args);
  const { failed = false, cancelled = false } = options;
  if (group === undefined && (failed || cancelled))
    throw new UsageError(`--${failed ? 'failed' : 'cancelled'} goes with --group`);
  if (group !== undefined && !failed && !cancelled)
    throw new UsageError('say with --failed or --cancelled what of the group is run again');
  if (group !== undefined && options.again === true)
    throw new UsageError('--again goes with ids: of a group each task is run again once');
  const client = connect(options);
  const tasks =
    group === undefined
      ? await retryEach(client, command.args, options)
      : await retryGroup(client, group, options);
  return print(tasks, options.json === true);
}

/** What became of each task. */
type Item = RetryAnswer | { retry_of: string; why: string };

async function retryEach(client: ExecgoClient, ids: readonly string[], options: Options): Promise<Item[]> {
  const { again, owner } = options;
  const asked = ids.map((id) => client.retry(id, { again, owner: owner === '' ? undefined : owner }));
  const results = await Promise.allSettled(asked);
  return results.map((result, i) =>
    result.status === 'fulfilled'
      ? result.value
      : { retry_of: ids[i] ?? '', why: explain(result.reason, HINTS) },
  );
}

const HINTS = {
  permission_denied: "give the task's owner with --owner or EXECGO_RUNTIME_OWNER",
  conflict: undefined,
};

async function retryGroup(client: ExecgoClient, group: string, options: Options): Promise<Item[]> {
  const { tenant, cancelled } = options;
  const owner = options.owner === '' ? undefined : options.owner;
  const items: GroupRetryItem[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.retryGroup(group, { tenant, cancelled, owner, limit: PAGE, cursor });
    items.push(...page.tasks);
    cursor = page.next_cursor;
  } while (cursor !== undefined);
  return items.map((item) => ('error' in item ? { retry_of: item.retry_of, why: item.error.message } : item));
}

async function print(items: readonly Item[], asJson: boolean): Promise<number> {
  const made = items.flatMap((item) => ('why' in item ? [] : [item]));
  const refused = items.flatMap((item) => ('why' in item ? [item] : []));
  if (asJson) await printJson(made);
  else if (isTerminal())
    await printLines(
      made.map(({ task_id, retry_of }) => `${plain(retry_of)} is run again as ${plain(task_id)}`),
    );
  else await printLines(made.map(({ task_id }) => plain(task_id)));
  for (const { task_id, retry_of, created } of made)
    if (!created)
      await note(
        `${retry_of} was run again before, as ${task_id}: run that again, or give --again for another one`,
      );
  for (const { retry_of, why } of refused.slice(0, REFUSALS_SHOWN))
    await note(why.includes(retry_of) ? why : `${retry_of}: ${why}`);
  if (refused.length > REFUSALS_SHOWN)
    await note(`and ${String(refused.length - REFUSALS_SHOWN)} more were not run again`);
  if (items.length === 0) await note('there is nothing to run again');
  return refused.length > 0 ? EXIT.failed : EXIT.ok;
}
