import fs from 'node:fs';
import path from 'node:path';
import type { Logger } from 'pino';
import type { CgroupLayout } from '../../sandbox/cgroup/cgroup-layout.js';
import {
  readJournal,
  summariseJournal,
  type JournalContents,
  type AttemptHistory,
} from '../../supervisor/journal/journal.js';
import { SUPERVISOR_FILES, type Outcome, type Running } from '../../supervisor/wire/protocol.js';
import type { HeldAttempt } from './held-attempts.js';
import { killRemains, type Remains } from './kill-remains.js';
import { attemptName } from './launch-spec.js';
import type { SupervisorLink } from './supervisor-link.js';

/** What to do with each attempt of a dead supervisor. */
export interface Settlement {
  ended: (held: HeldAttempt, outcome: Outcome) => Promise<unknown>;
  refused: (held: HeldAttempt) => void;
  lost: (held: HeldAttempt, running: Running | undefined) => Promise<unknown>;
}

/** What the journal of a dead supervisor tells. */
interface Legacy {
  histories: Map<number, AttemptHistory>;
  /** Something is missing in it: an attempt that is not in it may have begun all the same. */
  damaged: boolean;
}

/** An attempt whose end nobody saw. */
interface Orphan {
  held: HeldAttempt;
  history: AttemptHistory | undefined;
}

/**
 * Settles the attempts that a supervisor held when it died: an outcome in its journal counts; one that never began is
 * refused; of anything else what is left is killed, and it is lost. After another boot nothing is signalled, and what the
 * journal lacks proves nothing: it is not written with fsync.
 * @throws a system error; it can be called again then
 */
export async function settleDead(
  link: SupervisorLink,
  attempts: readonly HeldAttempt[],
  settlement: Settlement,
  host: { bootId: string; cgroupLayout: CgroupLayout; log: Logger },
): Promise<void> {
  const { bootId, log } = host;
  const sameBoot = link.identity.boot_id === bootId;
  const { histories, damaged } = readLegacy(link, log);
  const orphans: Orphan[] = [];
  const ends: Promise<unknown>[] = [];
  for (const held of attempts) {
    const history = histories.get(held.attempt.launch_id);
    if (held.ending !== undefined) ends.push(held.ending);
    else if (history?.outcome !== undefined && history.token === held.attempt.launch_token)
      ends.push(settlement.ended(held, history.outcome));
    else if (history === undefined && held.started === undefined && !damaged && sameBoot)
      settlement.refused(held);
    else orphans.push({ held, history });
  }
  if (sameBoot) await killOrphans(orphans, host);
  for (const { held, history } of orphans) ends.push(settlement.lost(held, history?.started));
  await Promise.all(ends);
}

function readLegacy(link: SupervisorLink, log: Logger): Legacy {
  const { records, damage } = readWhatIsThere(path.join(link.dir, SUPERVISOR_FILES.journal));
  if (damage !== undefined)
    log.error(
      { incarnation: link.incarnation, damage, intact_records: records.length },
      'the journal of a supervisor is damaged: what is intact is used, tasks whose end it does not tell are lost',
    );
  return { histories: summariseJournal(records), damaged: damage !== undefined };
}

/**
 * A supervisor makes its journal before it is written down in the database: if it is missing or cannot be read, somebody
 * else has damaged it.
 */
function readWhatIsThere(journal: string): JournalContents {
  try {
    if (fs.existsSync(journal)) return readJournal(journal);
    return { records: [], damage: { line: 1, reason: 'there is no journal' } };
  } catch (error) {
    return { records: [], damage: { line: 1, reason: String(error) } };
  }
}

async function killOrphans(
  orphans: readonly Orphan[],
  { bootId, cgroupLayout, log }: { bootId: string; cgroupLayout: CgroupLayout; log: Logger },
): Promise<void> {
  const remains = orphans.map(({ held: { attempt, started }, history }): Remains => {
    const known = history?.started ?? started;
    return {
      name: attemptName(attempt.incarnation, attempt.launch_id),
      token: attempt.launch_token,
      leader: { boot_id: bootId, pid: known?.pid ?? 0, start_ticks: known?.start_ticks ?? 0 },
    };
  });
  const survivors = await killRemains(cgroupLayout, remains);
  for (const { held } of orphans) {
    const pids = survivors.get(held.attempt.launch_token);
    if (pids !== undefined)
      log.error(
        { task_id: held.attempt.task_id, survivors: pids },
        'processes of a lost task cannot be killed',
      );
  }
}
