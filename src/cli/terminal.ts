import { styleText } from 'node:util';

/**
 * Colours a text where standard output is a terminal that shows colours, unless `NO_COLOR`; `FORCE_COLOR` does so anywhere.
 */
export const paint = styleText;

/** True when standard output is a terminal. */
export function isTerminal(): boolean {
  return process.stdout.isTTY;
}

const STATUS_STYLE: Readonly<Record<string, Parameters<typeof styleText>[0]>> = {
  accepted: 'yellow',
  running: 'blue',
  success: 'green',
  failed: 'red',
  cancelled: 'dim',
};

/** A status word in its colour, padded before it is coloured. */
export function paintStatus(status: string, width = 0): string {
  const style = STATUS_STYLE[status];
  const padded = status.padEnd(width);
  return style === undefined ? padded : paint(style, padded);
}

/**
 * Characters that control a terminal or make text read as something else: control characters (C1 included) and invisible
 * ones, such as marks that change the direction of writing, joiners, tags and separators of lines and paragraphs.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const UNSEEN_RUN = new RegExp(`${UNSEEN.source}+`, 'gu');

/** A text of a task on one line, without characters that could control the terminal or deceive its reader. */
export function plain(text: string): string {
  return text.replace(UNSEEN_RUN, ' ');
}

/** The same JSON with all invisible characters escaped, except line feeds between its parts. */
export function visibleJson(json: string): string {
  return json.replace(UNSEEN, (character) =>
    character === '\n'
      ? character
      : [...Array(character.length).keys()]
          .map((i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`)
          .join(''),
  );
}

/** Line width when the terminal does not tell its own. */
const DEFAULT_WIDTH = 100;

/** How many columns a line of a table has. */
export function terminalWidth(): number {
  return process.stdout.columns || DEFAULT_WIDTH;
}
