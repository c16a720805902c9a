import type { SessionState, SessionView } from '../../client/index.js';
import { clientCommand, connect } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { parsePage, printPage } from '../page.js';
import { paintState } from '../session-lines.js';
import { inSessionFlags } from '../session-options.js';
import { table, type Cell } from '../table.js';
import { paint, plain, terminalWidth } from '../terminal.js';
import { formatDuration } from '../units.js';

interface Options {
  tenant?: string;
  owner?: string;
  state?: SessionState;
  unreadBy?: string;
}

const HEADER = ['SESSION', 'STATE', 'RUNNING', 'WAITING', 'ENDED', 'ACTIVITY', 'TITLE'];

/** `execgo session list`: a table for people, the API's object for programs. */
export async function main(argv: readonly string[]): Promise<number> {
  const command = clientCommand('session list', 'Lists sessions, the newest first.', [
    'execgo session list --state running',
    'execgo session list | jq -r ".sessions[].session_id"',
  ])
    .option('--tenant <name>', 'whose they are')
    .option('--owner <name>', 'who may change them')
    .option('--state <word>', 'idle, running, ended or evicted')
    .option(
      '--unread-by <reader>',
      'only those that this reader has not seen as they are: see execgo session read',
    );
  const flags = parsePage<Options>(command, argv);
  if (flags === undefined) return EXIT.ok;
  const { limit, tenant, owner, state, unreadBy, cursor, json, server } = flags;
  const unread = unreadBy === undefined ? {} : { reader: unreadBy, unread: true as const };
  const page = await inSessionFlags(() =>
    connect({ server }).sessions.list({ tenant, owner, state, ...unread, limit, cursor }),
  );
  const now = Date.now();
  return printPage(page, json, ({ sessions }) => {
    const rows = sessions.map((view) => cells(view, now));
    return table(HEADER, rows, terminalWidth());
  });
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
