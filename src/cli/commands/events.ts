import type { EventView, ExecgoClient } from '../../client/index.js';
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
  json?: boolean;
}

/** `execgo events`: the history of a task, or of the daemon. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand('events', 'Shows what happened to a task, or to all of them.', [
    'execgo events my-task',
    'execgo events -f | jq -c "select(.event_type == \\"failed\\")"',
    'execgo events --after-seq 1200',
  ])
    .argument('[id]', 'the task; all tasks without it')
    .option('-f, --follow', 'go on as things happen; for one task until it has ended')
    .option('--after-seq <n>', 'only what comes after this seq', parseCount)
    .option('-n, --limit <n>', 'how many at most, not with -f; all without it', parseCount)
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const options = command.opts<Options>();
  if (options.follow === true && options.limit !== undefined) throw new UsageError('-n does not go with -f');
  const client = connect(options);
  const taskId = command.args[0];
  if (taskId === undefined) await showFeed(client, options);
  else await showTask(client, taskId, options);
  return EXIT.ok;
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

async function showFeed(client: ExecgoClient, options: Options): Promise<void> {
  const { afterSeq } = options;
  if (options.follow === true) {
    // Following waits for a daemon that restarts, so first report one that is not there at all.
    await client.health();
    for await (const event of client.followEvents({ afterSeq })) await print(event, options);
    return;
  }
  let left = options.limit ?? Infinity;
  let seq = afterSeq ?? 0;
  while (left > 0) {
    const asked = Math.min(left, PAGE);
    const events = await client.events({ afterSeq: seq, limit: asked });
    for (const event of events) await print(event, options);
    left -= events.length;
    seq = events.at(-1)?.seq ?? seq;
    if (events.length < asked) return;
  }
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
