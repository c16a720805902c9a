import { ExecgoError } from '../../task/errors.js';
import type { SessionStorage } from '../../task/session-storage.js';
import { takesNone } from '../lifecycle/session.js';
import { waitAtMost } from '../lifecycle/wait.js';
import type { StorageOptions } from '../session-service.js';
import type { StorageMeter } from './storage-meter.js';
import { figuresOf, knownSession, runningOf, type SessionCore } from './view.js';

/** How long a look that has to be is waited for, in milliseconds: others may come before it. */
const LOOK_MS = 60_000;

/** What the storage of sessions works with. */
export type StorageCore = SessionCore & { storageMeter: StorageMeter };

/**
 * What a session keeps, as it was when it was last looked at. Who asks waits for a look where there was none, or wants it.
 * @throws ExecgoError `not_found`, `session_evicted`, `conflict` when the workspace is not there; `unavailable` when nothing is known
 *   because looking takes too long; what `signal` aborts with
 */
export async function sessionStorage(
  core: StorageCore,
  sessionId: string,
  { tenant, refresh, wait_ms }: StorageOptions,
  signal: AbortSignal,
): Promise<SessionStorage> {
  const before = known(core, sessionId, tenant);
  const { session, figures } = before;
  const isNeeded = refresh || figures === undefined;
  const waitMs = isNeeded ? LOOK_MS : figures.stale ? wait_ms : 0;
  const look = { isDone: false };
  if (waitMs > 0)
    await waitAtMost(waitMs, signal, async (either) => {
      await unless(either, core.storageMeter.look(session));
      look.isDone = true;
    });
  else if (figures?.stale === true) core.storageMeter.lookLater(session);
  const { figures: now } = waitMs > 0 ? known(core, sessionId, tenant) : before;
  if (now === undefined || (refresh && !look.isDone))
    throw new ExecgoError('unavailable', `session ${sessionId} is still being measured; ask again`);
  return { session_id: sessionId, ...now };
}

function known(core: StorageCore, sessionId: string, tenant: string | undefined) {
  const session = knownSession(core, sessionId, tenant);
  if (session.state === 'evicted') throw takesNone(session);
  return { session, figures: figuresOf(core.store, session, runningOf(core, sessionId).length > 0) };
}

/** @throws what `signal` aborts with, and `until` goes on without anybody who waits */
async function unless(signal: AbortSignal, until: Promise<unknown>): Promise<void> {
  await Promise.race([
    until,
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        reject(signal.reason as Error);
      });
    }),
  ]);
}
