import type { QueueView } from '../../client/index.js';
import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { table, type Cell } from '../table.js';
import { isTerminal, paint, plain } from '../terminal.js';
import { formatDuration, parseCount } from '../units.js';
import { UsageError } from '../usage-error.js';
import { note, printJson, printLines } from '../write.js';

/** Queues of one request: the longest page that the API allows. */
const PAGE = 200;
/** Line width when the terminal does not tell its own. */
const DEFAULT_WIDTH = 100;

interface Options {
  server: string;
  limit?: number;
  cursor?: string;
  json?: boolean;
}

/** `execgo queue list`: a table for people, the API's object for programs. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand('queue list', 'Lists the queues that have a rule or tasks, by name.', [
    'execgo queue list',
    'execgo queue list | jq -r ".queues[] | select(.rule.paused) | .queue"',
  ])
    .option('-n, --limit <n>', `how many at most; ${String(PAGE)} without it`, parseCount)
    .option('--cursor <cursor>', 'go on where next_cursor of an earlier answer left off')
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const { limit = PAGE, cursor, json, server } = command.opts<Options>();
  if (limit < 1 || limit > PAGE) throw new UsageError(`-n must be from 1 to ${String(PAGE)}`);
  const page = await connect({ server }).queues({ limit, cursor });
  if (json === true || !isTerminal()) {
    await printJson(page);
    return EXIT.ok;
  }
  const header = ['QUEUE', 'STATE', 'RUNNING', 'WAITING', 'OLDEST', 'STARTED/MIN', 'ENDED/MIN', 'PRIORITY'];
  await printLines(table(header, page.queues.map(cells), process.stdout.columns || DEFAULT_WIDTH));
  if (page.next_cursor !== undefined) await note(`there are more: --cursor ${page.next_cursor} shows them`);
  return EXIT.ok;
}

function cells(view: QueueView): Cell[] {
  const { queue, rule, counts, oldest_waiting_ms: oldest } = view;
  const isPaused = rule?.paused === true;
  return [
    { text: plain(queue), paint: (s) => paint('bold', s) },
    isPaused ? { text: 'paused', paint: (s) => paint('yellow', s) } : { text: '' },
    { text: withBound(counts.running, rule?.max_running) },
    { text: withBound(counts.accepted, rule?.max_waiting) },
    { text: oldest === undefined ? '' : formatDuration(oldest) },
    { text: String(view.started_per_minute) },
    { text: String(view.ended_per_minute) },
    { text: String(rule?.priority ?? 0) },
  ];
}

function withBound(count: number, bound: number | undefined): string {
  return bound === undefined ? String(count) : `${String(count)} of ${String(bound)}`;
}
