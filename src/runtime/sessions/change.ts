import { randomUUID } from 'node:crypto';
import { crashPoint } from '../../executor/crash-point.js';
import type { SessionWords, StoredSession } from '../../store/session-table.js';
import { ExecgoError, invalidInput } from '../../task/errors.js';
import { mergePatch } from '../../task/merge-patch.js';
import { SessionEdit, SessionRequest, sessionMetadata } from '../../task/sessions.js';
import { checkShape } from '../../task/shape.js';
import { invalidInputFrom } from '../../task/validate.js';
import type { Core } from '../core.js';
import { createSessionFiles, removeSessionFiles } from '../files/session-files.js';
import { checkOwnerIs } from '../lifecycle/check-owner.js';
import type { Dispatcher } from '../lifecycle/dispatch.js';
import { takesNone } from '../lifecycle/session.js';
import type { Schedule } from '../schedule.js';
import { asStorageError } from '../storage-error.js';
import { knownSession } from './view.js';

/** What the change of a session works with. */
export type ChangingCore = Pick<Core, 'settings' | 'store' | 'now'> & {
  schedule: Schedule;
  dispatcher: Dispatcher;
};

/**
 * Makes a session with an empty workspace. It is durable when this returns.
 * @throws ExecgoError `invalid_input`; `conflict` when the id is taken; `resource_limit_exceeded` when there are too many
 */
export async function makeSession(core: ChangingCore, body: unknown): Promise<StoredSession> {
  const { store, settings, now } = core;
  checkShape(body);
  const parsed = SessionRequest.safeParse(body);
  if (!parsed.success) throw invalidInputFrom(parsed.error);
  const { session_id = randomUUID(), tenant, owner, title, metadata, concurrency } = parsed.data;
  const at = now();
  const session = {
    ...{ session_id, tenant, owner, title, metadata, concurrency },
    ...endAfter(core, at, parsed.data),
  };
  const directories: string[] = [];
  try {
    const made = await store.commits.write(() => {
      if (store.sessions.count() >= settings.maxSessions)
        throw new ExecgoError(
          'resource_limit_exceeded',
          `there are ${settings.maxSessions} sessions, which is the most; delete one that is not needed`,
          { bound: 'max_sessions', limit: settings.maxSessions },
        );
      const inserted = store.sessions.insert(session, at);
      if (inserted === undefined) return undefined;
      createSessionFiles(settings.dataDir, session_id, settings.taskOwner);
      directories.push(session_id);
      crashPoint('before_session_commit');
      return inserted;
    });
    crashPoint('after_session_commit');
    if (made !== undefined) return made;
  } catch (error) {
    for (const id of directories) removeSessionFiles(settings.dataDir, id);
    throw asStorageError(error);
  }
  const evicted = store.sessions.of(session_id)?.state === 'evicted';
  const why = evicted ? ' and was evicted: delete it first, or choose another id' : '';
  throw new ExecgoError('conflict', `session already exists${why}: ${session_id}`, { session_id });
}

/**
 * Changes what is said of a session. It is durable and in force when this returns.
 * @param owner value of `x-execgo-owner`
 * @throws ExecgoError `invalid_input`, `not_found`, `permission_denied`; `conflict` when it has another version than the body names;
 *   `session_ended`, `session_evicted` when it takes no tasks any more and more of them are asked for
 */
export async function editSession(
  core: ChangingCore,
  sessionId: string,
  body: unknown,
  { tenant, owner }: { tenant: string | undefined; owner: string | undefined },
): Promise<StoredSession> {
  const { store, schedule, dispatcher, now } = core;
  const session = knownSession(core, sessionId, tenant);
  checkOwnerIs(session.owner, owner, 'session', { session_id: sessionId });
  checkShape(body);
  const parsed = SessionEdit.safeParse(body);
  if (!parsed.success) throw invalidInputFrom(parsed.error);
  const edit = parsed.data;
  const at = now();
  const wanted = edit.if_version ?? session.version;
  const changed = await store.commits.write(() => {
    const before = knownSession(core, sessionId, tenant);
    if (before.state === 'evicted') throw takesNone(before);
    if (before.version !== wanted) throw hasChanged(before, wanted);
    const words = wordsAfter(core, before, edit, at);
    if (before.state === 'ended' && words.due_ms !== before.due_ms) throw takesNone(before);
    const edited = store.sessions.edit(before, words, at);
    const ended = edit.state === 'ended' ? store.sessions.end(sessionId, 'closed', at) : undefined;
    crashPoint('before_session_edit');
    return ended ?? edited ?? before;
  });
  crashPoint('after_session_edit');
  schedule.advanceSession(sessionId);
  dispatcher.pump();
  return changed;
}

function hasChanged({ session_id, version }: StoredSession, wanted: number): ExecgoError {
  return new ExecgoError(
    'conflict',
    `session ${session_id} has version ${version}, not ${wanted}: somebody has changed it meanwhile`,
    { version },
  );
}

/** What holds after a change of which `null` takes away, and what is absent stays. */
function wordsAfter(core: ChangingCore, before: StoredSession, edit: SessionEdit, at: number): SessionWords {
  const { title, concurrency, ttl_secs, expires_at } = edit;
  const metadata = sessionMetadata.safeParse(
    edit.metadata === undefined ? before.metadata : mergePatch(before.metadata, edit.metadata ?? {}),
  );
  if (!metadata.success) throw invalidInputFrom(metadata.error, 'metadata');
  const end =
    ttl_secs === undefined && expires_at === undefined
      ? { expires_at_ms: before.expires_at_ms, due_ms: before.due_ms }
      : endAfter(core, at, edit);
  return {
    title: title === undefined ? before.title : (title ?? undefined),
    metadata: edit.metadata === null ? {} : metadata.data,
    concurrency: concurrency === undefined ? before.concurrency : (concurrency ?? 1),
    ...end,
  };
}

/** When it expires, in Unix time and on the retention clock; neither where nothing is said. @throws ExecgoError for a time that is over */
function endAfter(
  { store }: Pick<Core, 'store'>,
  at: number,
  { ttl_secs, expires_at }: { ttl_secs?: number | null | undefined; expires_at?: string | null | undefined },
): Pick<SessionWords, 'expires_at_ms' | 'due_ms'> {
  const expires_at_ms =
    typeof ttl_secs === 'number'
      ? at + ttl_secs * 1000
      : typeof expires_at === 'string'
        ? Date.parse(expires_at)
        : undefined;
  if (expires_at_ms === undefined) return { expires_at_ms, due_ms: undefined };
  if (expires_at_ms <= at) throw invalidInput('expires_at: must be a time to come');
  return { expires_at_ms, due_ms: store.kept.clock.now() + (expires_at_ms - at) };
}
