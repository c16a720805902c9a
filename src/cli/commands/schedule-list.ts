import type { ScheduleSummary } from '../../client/index.js';
import { clientCommand, connect } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { parsePage, printPage } from '../page.js';
import { nextText, whenText } from '../schedule-lines.js';
import { table, type Cell } from '../table.js';
import { paint, plain, terminalWidth } from '../terminal.js';

/** `execgo schedule list`: a table for people, the API's object for programs. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand('schedule list', 'Lists the schedules, by name.', [
    'execgo schedule list',
    'execgo schedule list | jq -r ".schedules[] | select(.paused) | .name"',
  ]);
  const flags = parsePage(command, argv);
  if (flags === undefined) return EXIT.ok;
  const { limit, cursor, json, server } = flags;
  const page = await connect({ server }).schedules({ limit, cursor });
  const now = Date.now();
  return printPage(page, json, ({ schedules }) => {
    const rows = schedules.map((view) => cells(view, now));
    return table(['SCHEDULE', 'WHEN', 'NEXT', 'LAST'], rows, terminalWidth());
  });
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
