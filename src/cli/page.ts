import type { Command } from 'commander';
import { parse } from './command.js';
import { EXIT } from './exit-codes.js';
import { isTerminal } from './terminal.js';
import { parseCount } from './units.js';
import { UsageError } from './usage-error.js';
import { note, printJson, printLines } from './write.js';

/** The longest page that the API allows. */
const PAGE = 200;

/** What every command takes that shows things by the page, beside flags of its own. */
interface PageFlags {
  server: string;
  limit: number;
  cursor?: string;
  json?: boolean;
}

/**
 * Adds those flags and reads all.
 * @returns undefined when only the help was asked for
 * @throws UsageError
 */
export function parsePage<T extends object>(
  command: Command,
  argv: readonly string[],
): (T & PageFlags) | undefined {
  command
    .option('-n, --limit <n>', `how many at most; ${String(PAGE)} without it`, parseCount)
    .option('--cursor <cursor>', 'go on where next_cursor of an earlier answer left off')
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return undefined;
  const flags = command.opts<T & Omit<PageFlags, 'limit'> & { limit?: number }>();
  const { limit = PAGE } = flags;
  if (limit < 1 || limit > PAGE) throw new UsageError(`-n must be from 1 to ${String(PAGE)}`);
  return { ...flags, limit };
}

/**
 * Prints a page: the API's object for programs, lines for people.
 * @returns the exit code
 */
export async function printPage<P extends { next_cursor?: string | undefined }>(
  page: P,
  json: boolean | undefined,
  lines: (page: P) => readonly string[],
): Promise<number> {
  if (json === true || !isTerminal()) {
    await printJson(page);
    return EXIT.ok;
  }
  await printLines(lines(page));
  if (page.next_cursor !== undefined) await note(`there are more: --cursor ${page.next_cursor} shows them`);
  return EXIT.ok;
}
