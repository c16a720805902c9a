import { Option, type Command } from 'commander';
import {
  ExecgoApiError,
  type ExecgoClient,
  type ListFilter,
  type TaskPage,
  type TaskStatus,
  type TaskSummary,
} from '../../client/index.js';
import { ending } from '../card.js';
import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { table } from '../table.js';
import { isTerminal, paint, paintStatus, plain, visibleJson } from '../terminal.js';
import { formatDuration, parseCount } from '../units.js';
import { UsageError } from '../usage-error.js';
import { note, printJson, printLines, write } from '../write.js';

/** Tasks shown without `-n`. */
const DEFAULT_LIMIT = 50;
/** Tasks per request with `--all`: the longest page that the API allows. */
const PAGE = 1000;
/** Line width when the terminal does not tell its own. */
const DEFAULT_WIDTH = 100;

interface Options extends Omit<ListFilter, 'status' | 'session_id'> {
  server: string;
  json?: boolean;
  all?: boolean;
  status?: string;
  session?: string;
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
    await show(connect(options), filterOf(options), options);
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
  ...{ lane: '--lane', session_id: '--session', label: '--label', text: '--text', cursor: '--cursor' },
};

async function show(client: ExecgoClient, filter: ListFilter, { json, all = false }: Options): Promise<void> {
  if (json !== true && isTerminal()) await printTable(client, filter, all);
  else if (all) await printAllJson(client, filter);
  else await printJson(await client.list(filter));
}

function listCommand(): Command {
  return clientCommand('list', 'Lists tasks, newest first: JSON when standard output is not a terminal.', [
    'execgo list --status running,accepted',
    'execgo list --label team=search --text train --all',
  ])
    .option('--status <words>', 'accepted, running, success, failed, cancelled; several with commas')
    .option('--cause <word>', 'why it ended, such as timeout or oom')
    .option('--tenant <name>', 'whose quota it counts against')
    .option('--owner <name>', 'whose it is')
    .option('--queue <name>', 'the queue')
    .option('--lane <name>', 'the lane of the queue')
    .option('--session <id>', 'the session')
    .option('--label <key[=value]>', 'a label, with this value or with any')
    .option('--text <text>', 'part of the id or of the command')
    .addOption(
      new Option('--order <order>', 'which come first').choices(['newest', 'oldest']).default('newest'),
    )
    .option('-n, --limit <n>', `how many at most; ${String(DEFAULT_LIMIT)} without it`, parseCount)
    .option('--cursor <cursor>', 'go on where next_cursor of an earlier answer left off')
    .option('--all', 'all of them, page after page')
    .option('--json', 'print JSON on a terminal, too');
}

function filterOf(options: Options): ListFilter {
  const { server: _server, json: _json, all, status, session, limit = DEFAULT_LIMIT, ...rest } = options;
  return {
    ...rest,
    // The daemon knows the allowed words, and its error names them.
    status: status?.split(',').map((word) => word.trim()) as TaskStatus[] | undefined,
    session_id: session,
    limit: all === true ? PAGE : limit,
  };
}

const HEADER = ['TASK', 'STATUS', 'WHY', 'AGE', 'TOOK', 'QUEUE', 'COMMAND'];
/** What is left out where there is little room, in this order. */
const YIELDING = ['QUEUE', 'TOOK', 'AGE', 'WHY'].map((title) => HEADER.indexOf(title));

async function printTable(client: ExecgoClient, filter: ListFilter, all: boolean): Promise<void> {
  let page: TaskPage = await client.list(filter);
  for (;;) {
    const now = Date.now();
    const rows = page.tasks.map((task) => cells(task, now));
    await printLines(table(HEADER, rows, process.stdout.columns || DEFAULT_WIDTH, YIELDING));
    if (page.next_cursor === undefined) return;
    if (!all) {
      await note('there are more: --all shows them, -n more of them at once');
      return;
    }
    page = await client.list({ ...filter, cursor: page.next_cursor });
  }
}

function cells(task: TaskSummary, now: number): { text: string; paint?: (s: string) => string }[] {
  return [
    { text: plain(task.task_id), paint: (s) => paint('bold', s) },
    task.paused === true
      ? { text: 'paused', paint: (s) => paint('yellow', s) }
      : { text: task.status, paint: (s) => paintStatus(task.status, s.length) },
    { text: task.waiting?.reason ?? ending(task) },
    { text: formatDuration(Math.max(0, now - Date.parse(task.created_at))) },
    { text: task.duration_ms === undefined ? '' : formatDuration(task.duration_ms) },
    { text: plain(task.queue) },
    { text: plain(task.command) },
  ];
}

/** Writes `{"tasks": […]}` page by page, so that a long history need not fit into memory. */
async function printAllJson(client: ExecgoClient, filter: ListFilter): Promise<void> {
  let separator = '{"tasks":[\n';
  for await (const task of client.listAll(filter)) {
    await write(process.stdout, `${separator}${visibleJson(JSON.stringify(task))}`);
    separator = ',\n';
  }
  await write(process.stdout, separator === ',\n' ? '\n]}\n' : '{"tasks":[]}\n');
}
