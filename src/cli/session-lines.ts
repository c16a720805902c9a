import type { SessionStorage, SessionView, StorageFigures } from '../client/index.js';
import { isTerminal, paint, plain } from './terminal.js';
import { formatDuration, formatSize } from './units.js';
import { printJson, printLines } from './write.js';

/** `refactor-42: running, 1 running, 2 waiting`. */
function sessionLine({ session_id, state, counts }: SessionView): string {
  const busy =
    counts.running + counts.accepted === 0
      ? []
      : [`${String(counts.running)} running`, `${String(counts.accepted)} waiting`];
  return `${paint('bold', plain(session_id))}: ${[paintState(state), ...busy].join(', ')}`;
}

/** A state in its colour, padded before it is coloured. */
export function paintState(state: SessionView['state'], width = 0): string {
  const style = ({ idle: 'green', running: 'blue', ended: 'yellow', evicted: 'dim' } as const)[state];
  return paint(style, state.padEnd(width));
}

/** A session for people, line by line. @param now Unix time in milliseconds */
export function sessionCard(view: SessionView, now: number): string[] {
  const { counts } = view;
  const text = (value: string | undefined) => (value === undefined ? undefined : plain(value));
  const metadata = Object.entries(view.metadata).map(([key, value]) => `${key}=${value}`);
  const rows: [label: string, value: string | undefined][] = [
    ['title', text(view.title)],
    ['reason', view.reason],
    ['tenant', text(view.tenant)],
    ['owner', text(view.owner)],
    ['metadata', metadata.length === 0 ? undefined : plain(metadata.join(', '))],
    ['at once', String(view.concurrency)],
    [
      'ended',
      `${String(counts.success)} success, ${String(counts.failed)} failed, ${String(counts.cancelled)} cancelled`,
    ],
    ['active', text(view.active_task_id)],
    ['last', text(view.last_task_id)],
    ['activity', `${formatDuration(Math.max(0, now - Date.parse(view.last_activity_at)))} ago`],
    ['expires', view.expires_at === undefined ? undefined : expiry(view.expires_at, now)],
    ['unread by', readersLine(view)],
    ['keeps', view.storage && storageLine(view.storage, now)],
    ['workspace', text(view.workspace)],
  ];
  return [sessionLine(view), ...linesOf(rows)];
}

function readersLine({ readers = [] }: SessionView): string | undefined {
  const names = readers.flatMap(({ reader, unread }) => (unread ? [plain(reader)] : []));
  return names.length === 0 ? undefined : names.join(', ');
}

function linesOf(rows: [label: string, value: string | undefined][]): string[] {
  return rows.flatMap(([label, value]) =>
    value === undefined ? [] : [`  ${paint('dim', label.padEnd(9))} ${value}`],
  );
}

/** `3 files, 12 MiB, as of 4s ago; may have changed since`. */
function storageLine({ files, bytes, complete, measured_at, stale }: StorageFigures, now: number): string {
  const much = `${complete ? '' : 'at least '}${String(files)} ${files === 1 ? 'file' : 'files'}, ${formatSize(bytes)}`;
  const age = `as of ${formatDuration(Math.max(0, now - Date.parse(measured_at)))} ago`;
  return `${much}, ${age}${stale ? '; may have changed since' : ''}`;
}

/** What a session keeps for people, line by line. @param now Unix time in milliseconds */
export function storageCard(found: SessionStorage, now: number): string[] {
  const { session_id, directories, others, disk_bytes, digest } = found;
  return [
    `${paint('bold', plain(session_id))}: ${storageLine(found, now)}`,
    ...linesOf([
      ['beside', `${String(directories)} directories, ${String(others)} links and others`],
      ['on disk', formatSize(disk_bytes)],
      ['digest', digest ?? 'none: not all could be looked at'],
    ]),
  ];
}

function expiry(at: string, now: number): string {
  const left = Date.parse(at) - now;
  return `${plain(at)} (${left > 0 ? `in ${formatDuration(left)}` : `${formatDuration(-left)} ago`})`;
}

/** Prints a session as JSON; on a terminal, in one line. */
export async function printSession(view: SessionView, json: boolean): Promise<void> {
  if (json || !isTerminal()) await printJson(view);
  else await printLines([sessionLine(view)]);
}
