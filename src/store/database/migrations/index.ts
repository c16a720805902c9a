import { baseline } from './0001-baseline.js';
import { execgoSchema } from './0002-execgo-schema.js';
import { retention } from './0003-retention.js';
import { fewerIndexes } from './0004-fewer-indexes.js';
import { keysEnd } from './0005-keys-end.js';
import { sentRequest } from './0006-sent-request.js';
import { exitNonzero } from './0007-exit-nonzero.js';
import { warnings } from './0008-warnings.js';
import { paused } from './0009-paused.js';
import { queues } from './0010-queues.js';
import { versions } from './0011-versions.js';
import { items } from './0012-items.js';
import { disk } from './0013-disk.js';
import { attempts } from './0014-attempts.js';
import { changes } from './0015-changes.js';
import { outbox } from './0016-outbox.js';
import { queueNotify } from './0017-queue-notify.js';
import { sessions } from './0018-sessions.js';
import { eligible } from './0019-eligible.js';
import { schedules } from './0020-schedules.js';
import { dependencies } from './0021-dependencies.js';
import { groups } from './0022-groups.js';
import { reruns } from './0023-reruns.js';
import { parents } from './0024-parents.js';
import { followUps } from './0025-follow-ups.js';
import { killNotes } from './0026-kill-notes.js';
import { groupNotify } from './0028-group-notify.js';
import { readMarks } from './0027-read-marks.js';
import { taskCommands } from './0029-task-commands.js';
import { sessionStorage } from './0030-session-storage.js';
import { sessionReaders } from './0031-session-readers.js';
import { progress } from './0032-progress.js';
import { owners } from './0033-owners.js';
import type { Migration } from './migration.js';

/** All migrations in the order in which they are applied; ids count from 1 without gaps. */
export const MIGRATIONS: readonly Migration[] = [
  baseline,
  execgoSchema,
  retention,
  fewerIndexes,
  keysEnd,
  sentRequest,
  exitNonzero,
  warnings,
  paused,
  queues,
  versions,
  items,
  disk,
  attempts,
  changes,
  outbox,
  queueNotify,
  sessions,
  eligible,
  schedules,
  dependencies,
  groups,
  reruns,
  parents,
  followUps,
  killNotes,
  readMarks,
  groupNotify,
  taskCommands,
  sessionStorage,
  sessionReaders,
  progress,
  owners,
];
