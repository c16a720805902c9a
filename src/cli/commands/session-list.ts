import type { SessionState, SessionView } from '../../client/index.js';
import { clientCommand, connect, parse } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { paintState } from '../session-lines.js';
import { inSessionFlags } from '../session-options.js';
import { table, type Cell } from '../table.js';
import { isTerminal, paint, plain } from '../terminal.js';
import { formatDuration, parseCount } from '../units.js';
import { UsageError } from '../usage-error.js';
import { note, printJson, printLines } from '../write.js';

/** Sessions of one request: the longest page that the API allows. */
const PAGE = 200;
/** Line width when the terminal does not tell its own. */
const DEFAULT_WIDTH = 100;

interface Options {
  server: string;
  tenant?: string;
  owner?: string;
  state?: SessionState;
  limit?: number;
  cursor?: string;
  json?: boolean;
}

/** `execgo session list`: a table for people, the API's object for programs. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand('session list', 'Lists sessions, the newest first.', [
    'execgo session list --state running',
    'execgo session list | jq -r ".sessions[].session_id"',
  ])
    .option('--tenant <name>', 'whose they are')
    .option('--owner <name>', 'who may change them')
    .option('--state <word>', 'idle, running, ended or evicted')
    .option('-n, --limit <n>', `how many at most; ${String(PAGE)} without it`, parseCount)
    .option('--cursor <cursor>', 'go on where next_cursor of an earlier answer left off')
    .option('--json', 'print JSON on a terminal, too');
  if (!parse(command, argv)) return EXIT.ok;
  const { limit = PAGE, tenant, owner, state, cursor, json, server } = command.opts<Options>();
  if (limit < 1 || limit > PAGE) throw new UsageError(`-n must be from 1 to ${String(PAGE)}`);
  const page = await inSessionFlags(() =>
    connect({ server }).sessions.list({ tenant, owner, state, limit, cursor }),
  );
  if (json === true || !isTerminal()) {
    await printJson(page);
    return EXIT.ok;
  }
  const header = ['SESSION', 'STATE', 'RUNNING', 'WAITING', 'ENDED', 'ACTIVITY', 'TITLE'];
  const now = Date.now();
  const rows = page.sessions.map((view) => cells(view, now));
  await printLines(table(header, rows, process.stdout.columns || DEFAULT_WIDTH));
  if (page.next_cursor !== undefined) await note(`there are more: --cursor ${page.next_cursor} shows them`);
  return EXIT.ok;
}

function cells(
  { session_id, state, counts, title = '', last_activity_at }: SessionView,
  now: number,
): Cell[] {
  const ended = counts.success + counts.failed + counts.cancelled;
  return [
    { text: plain(session_id), paint: (s) => paint('bold', s) },
    { text: state, paint: (s) => paintState(state, s.length) },
    { text: String(counts.running) },
    { text: String(counts.accepted) },
    { text: String(ended) },
    { text: `${formatDuration(Math.max(0, now - Date.parse(last_activity_at)))} ago` },
    { text: plain(title) },
  ];
}
