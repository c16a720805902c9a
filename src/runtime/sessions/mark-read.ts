import { crashPoint } from '../../executor/crash-point.js';
import { invalidInput } from '../../task/errors.js';
import { validateSessionReadMark, type SessionReadMark } from '../../task/read-mark.js';
import type { Core } from '../core.js';
import { knownSession } from './view.js';

/**
 * Writes down how far a reader has seen a session: as it is, unless the body names a version or an event.
 * @throws ExecgoError `invalid_input` also for what the session has not had; `not_found`; `resource_limit_exceeded` when it has as many
 *   readers as it may
 */
export async function markSessionRead(
  core: Pick<Core, 'store'>,
  sessionId: string,
  reader: string,
  tenant: string | undefined,
  body: unknown,
): Promise<SessionReadMark> {
  const given = validateSessionReadMark(reader, body);
  const mark = await core.store.commits.write(() => {
    const session = knownSession(core, sessionId, tenant);
    const present = { version: session.version, event_seq: session.last_event_seq };
    const { version = present.version, event_seq = present.event_seq } = given;
    if (version > present.version)
      throw invalidInput(`version: the session has version ${present.version}, and has never had ${version}`);
    if (event_seq > present.event_seq)
      throw invalidInput(
        `event_seq: the last event of the session is ${present.event_seq}, not ${event_seq}`,
      );
    core.store.sessions.readers.set(session, { reader, version, event_seq });
    crashPoint('before_read_commit');
    return { session_id: sessionId, reader, version, event_seq };
  });
  crashPoint('after_read_commit');
  return mark;
}
