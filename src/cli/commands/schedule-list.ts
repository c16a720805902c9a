import type { ScheduleSummary } from '../../client/index.js';
import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { nextText, whenText } from '../schedule-lines.js';
import { table, type Cell } from '../table.js';
import { isTerminal, paint, plain } from '../terminal.js';
import { parseCount } from '../units.js';
import { UsageError } from '../usage-error.js';
import { note, printJson, printLines } from '../write.js';

/** Schedules of one request: the longest page that the API allows. */
const PAGE = 200;
/** Line width when the terminal does not tell its own. */
const DEFAULT_WIDTH = 100;

interface Options {
  server: string;
  limit?: number;
  cursor?: string;
  json?: boolean;
}

/** `execgo schedule list`: a table for people, the API's object for programs. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand('schedule list', 'Lists the schedules, by name.', [
    'execgo schedule list',
    'execgo schedule list | jq -r ".schedules[] | select(.paused) | .name"',
  ])
    .option('-n, --limit <n>', `how many at most; ${String(PAGE)} without it`, parseCount)
    .option('--cursor <cursor>', 'go on where next_cursor of an earlier answer left off')
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const { limit = PAGE, cursor, json, server } = command.opts<Options>();
  if (limit < 1 || limit > PAGE) throw new UsageError(`-n must be from 1 to ${String(PAGE)}`);
  const page = await connect({ server }).schedules({ limit, cursor });
  if (json === true || !isTerminal()) {
    await printJson(page);
    return EXIT.ok;
  }
  const now = Date.now();
  const rows = page.schedules.map((view) => cells(view, now));
  await printLines(
    table(['SCHEDULE', 'WHEN', 'NEXT', 'LAST'], rows, process.stdout.columns || DEFAULT_WIDTH),
  );
  if (page.next_cursor !== undefined) await note(`there are more: --cursor ${page.next_cursor} shows them`);
  return EXIT.ok;
}

function cells(view: ScheduleSummary, now: number): Cell[] {
  const [last] = view.runs;
  return [
    { text: plain(view.name), paint: (s) => paint('bold', s) },
    { text: whenText(view) },
    { text: nextText(view, now), ...(view.paused ? { paint: (s: string) => paint('yellow', s) } : {}) },
    { text: last === undefined ? '' : (last.status ?? last.outcome) },
  ];
}
