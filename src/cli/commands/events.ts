import { ExecgoApiError, type EventFilter, type EventView, type ExecgoClient } from '../../client/index.js';
import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { isTerminal, paint, plain } from '../terminal.js';
import { parseCount } from '../units.js';
import { UsageError } from '../usage-error.js';
import { printJson, printJsonLine, printLines } from '../write.js';

/** After one of these events a task has no more, except for the release of its reservation. */
const LAST = new Set(['finished', 'failed', 'cancelled']);
/** Events per request: the longest page that the API allows. */
const PAGE = 1000;

interface Options {
  server: string;
  follow?: boolean;
  afterSeq?: number;
  limit?: number;
  type?: string;
  tenant?: string;
  queue?: string;
  session?: string;
  group?: string;
  label?: string;
  json?: boolean;
}

/** `execgo events`: the history of a task, or of the daemon. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand('events', 'Shows what happened to a task, or to all of them.', [
    'execgo events my-task',
    'execgo events -f | jq -c "select(.event_type == \\"failed\\")"',
    'execgo events --after-seq 1200',
    'execgo events -f --type failed,cancelled --queue gpu',
  ])
    .argument('[id]', 'the task; all tasks without it')
    .option('-f, --follow', 'go on as things happen; for one task until it has ended')
    .option('--after-seq <n>', 'only what comes after this seq', parseCount)
    .option('-n, --limit <n>', 'how many at most, not with -f; all without it', parseCount)
    .option('--type <words>', 'only such events, as failed or kill_requested; several with commas')
    .option('--tenant <name>', 'only of tasks of this tenant')
    .option('--queue <name>', 'only of tasks in this queue')
    .option('--session <id>', 'only of tasks of this session')
    .option('--group <name>', 'only of tasks of this group')
    .option('--label <key[=value]>', 'only of tasks with this label')
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const options = command.opts<Options>();
  if (options.follow === true && options.limit !== undefined) throw new UsageError('-n does not go with -f');
  const client = connect(options);
  const taskId = command.args[0];
  const filter = filterOf(options);
  if (taskId !== undefined && filter !== undefined)
    throw new UsageError(
      '--type, --tenant, --queue, --session, --group and --label choose among all tasks: give no id',
    );
  if (taskId !== undefined) await showTask(client, taskId, options);
  else await showFeed(client, options, filter).catch(inFlags);
  return EXIT.ok;
}

function filterOf({ type, tenant, queue, session, group, label }: Options): EventFilter | undefined {
  // The daemon knows the allowed words, and its error names them.
  const event_type = type?.split(',').map((word) => word.trim()) as EventFilter['event_type'];
  const filter: EventFilter = { event_type, tenant, queue, session_id: session, group, label };
  return Object.values(filter).every((value) => value === undefined) ? undefined : filter;
}

/** A refusal that names a parameter of the API names what was typed for it instead. */
async function inFlags(error: unknown): Promise<never> {
  if (!(error instanceof ExecgoApiError)) throw error;
  const flags = await import('../typed-flags.js');
  const typed = {
    event_type: '--type',
    tenant: '--tenant',
    queue: '--queue',
    group: '--group',
    label: '--label',
  };
  throw flags.inFlags(error, { ...typed, session_id: '--session', after_seq: '--after-seq', limit: '-n' });
}

async function showTask(client: ExecgoClient, taskId: string, options: Options): Promise<void> {
  const { afterSeq, limit } = options;
  const past = await client.taskEvents(taskId, { afterSeq, limit });
  if (options.follow !== true) {
    if (asText(options)) await printLines(past.map(line));
    else await printJson(past);
    return;
  }
  for (const event of past) await print(event, options);
  // With --after-seq, the task's last event may have come before the first one asked for.
  const known = afterSeq === undefined ? past : await client.taskEvents(taskId);
  if (known.some(isLast)) return;
  for await (const event of client.followEvents({ afterSeq: known.at(-1)?.seq ?? 0 })) {
    if (event.task_id !== taskId || event.seq <= (afterSeq ?? 0)) continue;
    await print(event, options);
    if (isLast(event)) return;
  }
}

async function showFeed(
  client: ExecgoClient,
  options: Options,
  filter: EventFilter | undefined,
): Promise<void> {
  const { afterSeq } = options;
  if (options.follow === true) {
    // Following waits for a daemon that restarts, so first report one that is not there at all.
    await client.health();
    for await (const event of client.followEvents({ afterSeq, filter })) await print(event, options);
    return;
  }
  let left = options.limit ?? Infinity;
  let seq = afterSeq ?? 0;
  while (left > 0) {
    const asked = Math.min(left, PAGE);
    const page = await pageAfter(client, seq, asked, filter);
    for (const event of page.events) await print(event, options);
    left -= page.events.length;
    if (page.last_seq === seq || (filter === undefined && page.events.length < asked)) return;
    seq = page.last_seq;
  }
}

async function pageAfter(
  client: ExecgoClient,
  afterSeq: number,
  limit: number,
  filter: EventFilter | undefined,
): Promise<{ events: EventView[]; last_seq: number }> {
  if (filter !== undefined) return client.eventsWhere(filter, { afterSeq, limit });
  const events = await client.events({ afterSeq, limit });
  return { events, last_seq: events.at(-1)?.seq ?? afterSeq };
}

function isLast(event: EventView): boolean {
  return LAST.has(event.event_type);
}

function asText(options: Options): boolean {
  return options.json !== true && isTerminal();
}

function print(event: EventView, options: Options): Promise<void> {
  return asText(options) ? printLines([line(event)]) : printJsonLine(event);
}

function line(event: EventView): string {
  const { seq, timestamp, task_id: taskId, event_type: type, message } = event;
  return `${paint('dim', `${String(seq).padStart(6)}  ${timestamp}`)}  ${paint('bold', plain(taskId))}  ${type}  ${plain(message)}`;
}
