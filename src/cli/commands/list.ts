import type { Command } from 'commander';
import { Option } from 'commander';
import {
  ExecgoApiError,
  type ExecgoClient,
  type ListFilter,
  type TaskStatus,
  type TaskSummary,
} from '../../client/index.js';
import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { addTaskConditions } from '../task-conditions.js';
import { printTasks } from '../task-table.js';
import { isTerminal, plain, visibleJson } from '../terminal.js';
import { parseCount } from '../units.js';
import { UsageError } from '../usage-error.js';
import { note, printJson, printJsonLine, printLines, write } from '../write.js';

/** Tasks shown without `-n`. */
const DEFAULT_LIMIT = 50;
/** Tasks per request with `--all`: the longest page that the API allows. */
const PAGE = 1000;

interface Options extends Omit<ListFilter, 'status' | 'session_id'> {
  server: string;
  json?: boolean;
  all?: boolean;
  status?: string;
  session?: string;
  fields?: string;
  unreadBy?: string;
  changedAfter?: number;
  createdAfter?: string;
  createdBefore?: string;
  finishedAfter?: string;
  finishedBefore?: string;
}

/** `execgo list`: a table for people, the API's object for programs. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = listCommand();
  if (!parse(command, argv)) return EXIT.ok;
  const options = command.opts<Options>();
  if (options.all === true && options.limit !== undefined) throw new UsageError('give --all or -n, not both');
  if (options.limit !== undefined && (options.limit < 1 || options.limit > PAGE))
    throw new UsageError(`-n must be from 1 to ${String(PAGE)}; --all shows everything`);
  try {
    await show(connect(options), options);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof ExecgoApiError)) throw error;
    const { inFlags } = await import('../typed-flags.js');
    throw inFlags(error, FLAGS);
  }
}

/** What was typed for the parameters of the API. */
const FLAGS = {
  ...{ status: '--status', cause: '--cause', tenant: '--tenant', owner: '--owner', queue: '--queue' },
  ...{ lane: '--lane', session_id: '--session', group: '--group', label: '--label', text: '--text' },
  ...{ cursor: '--cursor', order: '--order', reverse: '--reverse', fields: '--fields' },
  ...{ changed_after: '--changed-after' },
  ...{ reader: '--unread-by' },
  ...{ created_after: '--created-after', created_before: '--created-before' },
  ...{ finished_after: '--finished-after', finished_before: '--finished-before' },
};

async function show(client: ExecgoClient, options: Options): Promise<void> {
  const { json, all = false, changedAfter } = options;
  const filter = filterOf(options);
  const asTable = json !== true && isTerminal() && filter.fields === undefined;
  if (changedAfter !== undefined) await showChanges(client, filter, changedAfter, all, asTable);
  else if (asTable) await printTable(client, filter, all);
  else if (all) await printAllJson(client, filter);
  else await printJson(await client.list(filter));
}

function listCommand(): Command {
  return addTaskConditions(
    clientCommand('list', 'Lists tasks, newest first: JSON when standard output is not a terminal.', [
      'execgo list --status running,accepted',
      'execgo list --label team=search --text train --all',
      'execgo list --status failed --finished-after 24h --fields task_id,cause,exit_code',
      'execgo list --changed-after 4711 --all',
    ])
      .option('--status <words>', 'accepted, running, success, failed, cancelled; several with commas')
      .option('--cause <word>', 'why it ended, such as timeout or oom')
      .option('--tenant <name>', 'whose quota it counts against')
      .option('--owner <name>', 'whose it is'),
  )
    .addOption(
      new Option(
        '--order <order>',
        'which come first: newest, oldest; created, finished: the latest; priority: of those that wait, the highest',
      ).choices(['newest', 'oldest', 'created', 'finished', 'priority']),
    )
    .option('-r, --reverse', 'the other way round')
    .option('--unread-by <reader>', 'only those that this reader has not seen as they are: see execgo read')
    .option('--fields <names>', 'only these fields of each task, separated by commas, as JSON')
    .option(
      '--changed-after <version>',
      'what changed or was deleted since, in the order of the changes; 0: all tasks',
      parseCount,
    )
    .option('-n, --limit <n>', `how many at most; ${String(DEFAULT_LIMIT)} without it`, parseCount)
    .option('--cursor <cursor>', 'go on where next_cursor of an earlier answer left off')
    .option('--all', 'all of them, page after page')
    .option('--json', 'print JSON on a terminal, too');
}

type Filter = ListFilter & { fields?: (keyof TaskSummary)[] | undefined };

function filterOf(options: Options): Filter {
  const { all, status, session, fields, limit = DEFAULT_LIMIT } = options;
  const words = (text: string | undefined) => text?.split(',').map((word) => word.trim());
  const { cause, tenant, owner, queue, lane, group, label, text, order, reverse, cursor } = options;
  return {
    // The daemon knows the allowed words, and its error names them.
    status: words(status) as TaskStatus[] | undefined,
    ...{ cause, tenant, owner, queue, lane, session_id: session, group, label, text },
    created_after: options.createdAfter,
    created_before: options.createdBefore,
    finished_after: options.finishedAfter,
    finished_before: options.finishedBefore,
    ...{ order, reverse, cursor },
    ...(options.unreadBy === undefined ? {} : { reader: options.unreadBy, unread: true }),
    fields: words(fields) as (keyof TaskSummary)[] | undefined,
    limit: all === true ? PAGE : limit,
  };
}

async function printTable(client: ExecgoClient, filter: ListFilter, all: boolean): Promise<void> {
  let page = await client.list(filter);
  for (;;) {
    await printTasks(page.tasks);
    if (page.next_cursor === undefined) return;
    if (!all) {
      await note('there are more: --all shows them, -n more of them at once');
      return;
    }
    page = await client.list({ ...filter, cursor: page.next_cursor });
  }
}

/** Writes `{"tasks": […]}` page by page, so that a long history need not fit into memory. */
async function printAllJson(client: ExecgoClient, filter: Filter): Promise<void> {
  let separator = '{"tasks":[\n';
  for await (const task of client.listAll(filter)) {
    await write(process.stdout, `${separator}${visibleJson(JSON.stringify(task))}`);
    separator = ',\n';
  }
  await write(process.stdout, separator === ',\n' ? '\n]}\n' : '{"tasks":[]}\n');
}

/** One page; or all of them, as JSON a line each. */
async function showChanges(
  client: ExecgoClient,
  filter: Filter,
  changed_after: number,
  all: boolean,
  asTable: boolean,
): Promise<void> {
  let { cursor } = filter;
  do {
    const page = await client.changesPage({ ...filter, changed_after, cursor });
    cursor = all ? page.next_cursor : undefined;
    if (!asTable) {
      await (all ? printJsonLine(page) : printJson(page));
      continue;
    }
    if (page.tasks.length > 0) await printTasks(page.tasks);
    await printLines(
      page.deleted.map((task) => `${plain(task.task_id)} was deleted at ${plain(task.deleted_at)}`),
    );
    if (page.version !== undefined)
      await note(
        `that is all up to version ${String(page.version)}: the next time give --changed-after ${String(page.version)}`,
      );
    else if (!all) await note('there are more: --all shows them');
  } while (cursor !== undefined);
}
