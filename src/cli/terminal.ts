const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34 } as const;
type Style = keyof typeof CODES;

/** True when people read standard output. */
export function isTerminal(): boolean {
  return process.stdout.isTTY;
}

/** Colours `text` where standard output is a terminal that wants colours (`NO_COLOR`, `TERM=dumb`). */
export function paint(style: Style, text: string): string {
  const wanted = isTerminal() && (process.env['NO_COLOR'] ?? '') === '' && process.env['TERM'] !== 'dumb';
  return wanted ? `\u001b[${String(CODES[style])}m${text}\u001b[0m` : text;
}

const STATUS_STYLE: Readonly<Record<string, Style>> = {
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

/** Text of a task on one line and without control characters, which could otherwise drive the terminal. */
export function plain(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
}
