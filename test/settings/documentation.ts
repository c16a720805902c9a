import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { settingList } from '../../src/settings/settings.js';
import { defaultOf, explanationOf } from '../../src/settings/words.js';

/** Where the settings are explained, absolute. */
export const OPERATION = fileURLToPath(new URL('../../docs/operation.md', import.meta.url));

/** The only table whose first column is this one. */
const TABLE = /^\| flag +\|.*\n(?:\|.*\n)*/gm;

/** What stands in `docs/operation.md`, and what is to stand there: the same, with the table of settings made anew. */
export async function operation(): Promise<{ current: string; wanted: string }> {
  const current = readFileSync(OPERATION, 'utf8');
  const found = current.match(TABLE)?.length ?? 0;
  if (found !== 1) throw new Error(`${OPERATION} has ${found} tables that begin with "| flag |", not one`);
  const table = await format(settingsTable(), { ...(await resolveConfig(OPERATION)), parser: 'markdown' });
  return { current, wanted: current.replace(TABLE, () => table) };
}

function settingsTable(): string {
  const rows = settingList.map(([, setting]) => [
    `\`${setting.flag}\``,
    defaultOf(setting),
    explanationOf(setting),
  ]);
  return [['flag', 'default', 'what it decides'], ['---', '---', '---'], ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`)
    .join('');
}
