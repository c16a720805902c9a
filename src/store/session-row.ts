import { isPlainObject } from '../task/plain-object.js';
import type { TerminalStatus } from '../task/states.js';
import { RowReader } from './row-reader.js';

/** Why a session takes no more tasks. */
export type SessionReason = 'expired' | 'idle' | 'deleted' | 'closed';

/** A session as it is stored. Times are Unix milliseconds. */
export interface StoredSession {
  /** No other session has it, also none that has the same id later. */
  session_seq: number;
  session_id: string;
  tenant: string | undefined;
  owner: string | undefined;
  title: string | undefined;
  metadata: Record<string, string>;
  concurrency: number;
  /** Whether it takes tasks, has only its files, or has nothing any more. */
  state: 'open' | 'ended' | 'evicted';
  reason: SessionReason | undefined;
  /** It is to be deleted as soon as none of its tasks is left. */
  removal: boolean;
  version: number;
  created_at_ms: number;
  updated_at_ms: number;
  activity_at_ms: number;
  ended_at_ms: number | undefined;
  evicted_at_ms: number | undefined;
  expires_at_ms: number | undefined;
  /** When that is, on the retention clock. */
  due_ms: number | undefined;
  counts: { submitted: number } & Record<TerminalStatus, number>;
  last_task_id: string | undefined;
  last_event_seq: number;
  /** The last event before there was this session: its tasks came later, those of an earlier one with its id before. */
  born_seq: number;
  /** How much has happened to its tasks and files: it grows with each of that. */
  changes: number;
}

/** A row as it is read. */
export interface SessionRow extends Record<string, unknown> {
  session_seq: number;
  session_id: string;
  state: StoredSession['state'];
}

/** What cannot be read counts as empty. */
export function readSession(row: SessionRow): StoredSession {
  const reader = new RowReader();
  const text = (name: string) => reader.text(name, row[name]) ?? undefined;
  const time = (name: string) => reader.time(name, row[name]) ?? undefined;
  const amount = (name: string) => reader.whole(name, row[name], 0) ?? 0;
  return {
    session_seq: row.session_seq,
    session_id: row.session_id,
    tenant: text('tenant'),
    owner: text('owner'),
    title: text('title'),
    metadata: reader.json('metadata', row['metadata'], areTexts) ?? {},
    concurrency: Math.max(1, amount('concurrency')),
    state: row.state,
    reason: text('reason') as SessionReason | undefined,
    removal: row['removal'] === 1,
    version: amount('version'),
    created_at_ms: time('created_at_ms') ?? 0,
    updated_at_ms: time('updated_at_ms') ?? 0,
    activity_at_ms: time('activity_at_ms') ?? 0,
    ended_at_ms: time('ended_at_ms'),
    evicted_at_ms: time('evicted_at_ms'),
    expires_at_ms: time('expires_at_ms'),
    due_ms: reader.whole('due_ms', row['due_ms']) ?? undefined,
    counts: {
      submitted: amount('submitted'),
      success: amount('success'),
      failed: amount('failed'),
      cancelled: amount('cancelled'),
    },
    last_task_id: text('last_task_id'),
    last_event_seq: amount('last_event_seq'),
    born_seq: amount('born_seq'),
    changes: amount('changes'),
  };
}

function areTexts(value: unknown): value is Record<string, string> {
  return isPlainObject(value) && Object.values(value).every((each) => typeof each === 'string');
}
