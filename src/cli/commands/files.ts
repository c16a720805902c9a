import type { FileEntry } from '../../client/index.js';
import { clientCommand, connect, parse } from '../command.js';
import { ownerOption } from '../each-task.js';
import { EXIT } from '../exit-codes.js';
import { inSessionFlags, tenantOption } from '../session-options.js';
import { table, type Cell } from '../table.js';
import { isTerminal, plain } from '../terminal.js';
import { formatSize } from '../units.js';
import { UsageError } from '../usage-error.js';
import { taskOption, workspaceOrPath, type WorkspaceOptions } from '../workspace-path.js';
import { note, printJson, printLines } from '../write.js';

/** Line width when the terminal does not tell its own. */
const DEFAULT_WIDTH = 100;

interface Options extends WorkspaceOptions {
  server: string;
  owner?: string;
  rm?: boolean;
  json?: boolean;
}

/** `execgo files`: a directory of a workspace as a table for people, the API's object for programs; with `--rm` deletes. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand(
    'files',
    'Lists a directory in the workspace of a session, or deletes what is there.',
    [
      'execgo files my-session',
      'execgo files my-session:dir',
      'execgo files --task my-task',
      'execgo files --rm my-session:dir/old.txt',
    ],
  )
    .argument('<workspace>', 'SESSION, or SESSION:PATH')
    .option('--rm', 'delete this file, or this directory with all in it')
    .addOption(taskOption())
    .addOption(tenantOption())
    .addOption(ownerOption())
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const options = command.opts<Options>();
  const { tenant, owner, rm, json } = options;
  const { of, path } = workspaceOrPath(command.args[0] ?? '', options);
  const { files } = connect(options);
  if (rm === true) {
    if (path === '') throw new UsageError('say what to delete: SESSION:PATH');
    await inSessionFlags(() => files.remove(of, path, { tenant, owner: owner === '' ? undefined : owner }));
    return EXIT.ok;
  }
  const page = (after: string | undefined) =>
    inSessionFlags(() => files.list(of, path === '' ? undefined : path, { tenant, after }));
  const list = await page(undefined);
  const { entries } = list;
  while (list.next !== undefined) {
    const { entries: others, more, next } = await page(list.next);
    for (const entry of others) entries.push(entry);
    Object.assign(list, { more, next });
  }
  if (json === true || !isTerminal()) await printJson(list);
  else {
    const rows = entries.map(cells);
    await printLines(
      table(['MODE', 'SIZE', 'MODIFIED', 'NAME'], rows, process.stdout.columns || DEFAULT_WIDTH),
    );
    if (list.more === true)
      await note(`the directory has more than the ${String(entries.length)} that are shown`);
  }
  return EXIT.ok;
}

const SIGNS = { file: '', directory: '/', link: '@', other: '?' } as const;

function cells({ name, type, size, mode, modified_at }: FileEntry): Cell[] {
  return [
    { text: mode },
    { text: size === undefined ? '' : formatSize(size) },
    { text: modified_at },
    { text: `${plain(name)}${SIGNS[type]}` },
  ];
}
