import stringWidth from 'string-width';
import { paint } from './terminal.js';

/** A cell: its text, and how it is painted once it has been padded. */
export interface Cell {
  text: string;
  paint?: (padded: string) => string;
}

/** How wide the last column is at least, as long as others can give way to it; a longer first column is cut to this. */
const LAST_MIN = 14;
const GAP = '  ';

/**
 * The lines of a table. Columns are as wide as their widest cell; the last one has what is left, and is cut at the terminal's
 * edge.
 * @param width in columns of the terminal, of which a Chinese character, for example, takes two
 * @param yielding indexes of columns that are left out where little is left, in this order; then the first one is cut
 */
export function table(
  header: readonly string[],
  rows: readonly (readonly Cell[])[],
  width: number,
  yielding: readonly number[] = [],
): string[] {
  const last = header.length - 1;
  const widths = header.map((title, i) =>
    Math.max(...[title, ...rows.map((row) => row[i]?.text ?? '')].map((text) => stringWidth(text))),
  );
  const widthOf = (i: number): number => widths[i] ?? 0;
  let shown = [...header.keys()];
  const left = (): number => width - shown.slice(0, -1).reduce((sum, i) => sum + widthOf(i) + GAP.length, 0);
  for (const i of yielding) if (left() < LAST_MIN) shown = shown.filter((other) => other !== i);
  if (last > 0) widths[0] = Math.min(widthOf(0), Math.max(LAST_MIN, widthOf(0) + left() - LAST_MIN));
  widths[last] = Math.max(1, left());
  const line = (cells: readonly Cell[]): string =>
    shown
      .map((i) => {
        const { text, paint: style = (s: string) => s } = cells[i] ?? { text: '' };
        const fit = cut(text, widthOf(i));
        return style(i === last ? fit : fit + ' '.repeat(widthOf(i) - stringWidth(fit)));
      })
      .join(GAP);
  return [line(header.map((text) => ({ text, paint: (s) => paint('dim', s) }))), ...rows.map(line)];
}

/** As much of a text as there is room for, in columns of the terminal; nothing that is one on the screen is cut in two. */
export function cut(text: string, room: number): string {
  if (stringWidth(text) <= room) return text;
  let kept = '';
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    if (stringWidth(kept + segment) >= room) break;
    kept += segment;
  }
  return `${kept}…`;
}
