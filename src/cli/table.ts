import { paint } from './terminal.js';

/** A cell: its text, and how it is painted once it has been padded. */
export interface Cell {
  text: string;
  paint?: (padded: string) => string;
}

/**
 * The lines of a table. Columns are as wide as their widest cell; the last one is cut at the terminal's edge. @param width
 * in characters
 */
export function table(
  header: readonly string[],
  rows: readonly (readonly Cell[])[],
  width: number,
): string[] {
  const last = header.length - 1;
  const widths = header.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => row[i]?.text.length ?? 0)),
  );
  const room = Math.max(10, width - widths.slice(0, last).reduce((sum, w) => sum + w + 2, 0));
  const line = (cells: readonly Cell[]): string =>
    cells
      .map(({ text, paint: style = (s) => s }, i) =>
        style(i === last ? cut(text, room) : text.padEnd(widths[i] ?? 0)),
      )
      .join('  ');
  return [line(header.map((text) => ({ text, paint: (s) => paint('dim', s) }))), ...rows.map(line)];
}

function cut(text: string, room: number): string {
  return text.length <= room ? text : `${text.slice(0, room - 1)}…`;
}
