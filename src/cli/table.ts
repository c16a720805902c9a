import stringWidth from 'string-width';
import { paint } from './terminal.js';

/** A cell: its text, and how it is painted once it has been padded. */
export interface Cell {
  text: string;
  paint?: (padded: string) => string;
}

/**
 * The lines of a table. Columns are as wide as their widest cell; the last one is cut at the terminal's edge.
 * @param width in columns of the terminal, of which a Chinese character, for example, takes two
 */
export function table(
  header: readonly string[],
  rows: readonly (readonly Cell[])[],
  width: number,
): string[] {
  const last = header.length - 1;
  const widths = header.map((title, i) =>
    Math.max(...[title, ...rows.map((row) => row[i]?.text ?? '')].map((text) => stringWidth(text))),
  );
  const room = Math.max(10, width - widths.slice(0, last).reduce((sum, w) => sum + w + 2, 0));
  const line = (cells: readonly Cell[]): string =>
    cells
      .map(({ text, paint: style = (s) => s }, i) =>
        style(i === last ? cut(text, room) : text + ' '.repeat((widths[i] ?? 0) - stringWidth(text))),
      )
      .join('  ');
  return [line(header.map((text) => ({ text, paint: (s) => paint('dim', s) }))), ...rows.map(line)];
}

function cut(text: string, room: number): string {
  if (stringWidth(text) <= room) return text;
  let kept = '';
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    if (stringWidth(kept + segment) >= room) break;
    kept += segment;
  }
  return `${kept}…`;
}
