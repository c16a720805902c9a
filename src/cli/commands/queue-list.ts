import type { QueueView } from '../../client/index.js';
import { clientCommand, connect } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { parsePage, printPage } from '../page.js';
import { table, type Cell } from '../table.js';
import { paint, plain, terminalWidth } from '../terminal.js';
import { formatDuration } from '../units.js';

const HEADER = ['QUEUE', 'STATE', 'RUNNING', 'WAITING', 'OLDEST', 'STARTED/MIN', 'ENDED/MIN', 'PRIORITY'];

/** `execgo queue list`: a table for people, the API's object for programs. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand('queue list', 'Lists the queues that have a rule or tasks, by name.', [
    'execgo queue list',
    'execgo queue list | jq -r ".queues[] | select(.rule.paused) | .queue"',
  ]);
  const flags = parsePage(command, argv);
  if (flags === undefined) return EXIT.ok;
  const { limit, cursor, json, server } = flags;
  const page = await connect({ server }).queues({ limit, cursor });
  return printPage(page, json, ({ queues }) => table(HEADER, queues.map(cells), terminalWidth()));
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
