import type { CommandPage, CommandView } from '../client/index.js';
import { table, type Cell } from './table.js';
import { paint, plain, terminalWidth } from './terminal.js';
import { formatDuration } from './units.js';

const HEADER = ['SEQ', 'STATUS', 'AGE', 'TYPE', 'PAYLOAD'];
const COLOURS = {
  pending: 'yellow',
  acknowledged: 'cyan',
  completed: 'green',
  failed: 'red',
  cancelled: 'dim',
} as const;

/** Commands as a table for people. @param now Unix time in milliseconds */
export function commandTable({ commands }: CommandPage, now: number): string[] {
  return table(
    HEADER,
    commands.map((command) => cells(command, now)),
    terminalWidth(),
  );
}

function cells({ seq, status, created_at, type, payload, error }: CommandView, now: number): Cell[] {
  const said = error === undefined ? JSON.stringify(payload) : `${JSON.stringify(payload)}: ${error}`;
  return [
    { text: String(seq) },
    { text: status, paint: (s) => paint(COLOURS[status], s) },
    { text: formatDuration(Math.max(0, now - Date.parse(created_at))) },
    { text: plain(type) },
    { text: plain(said) },
  ];
}
