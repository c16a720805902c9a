import fs from 'node:fs';
import path from 'node:path';
import {
  readJournal,
  summariseJournal,
  type JournalContents,
  type LaunchHistory,
} from '../../supervisor/journal/journal.js';
import { SUPERVISOR_FILES } from '../../supervisor/wire/protocol.js';
import { LOST } from '../lifecycle/classify.js';
import { completeFromOutcome, completeWithout } from '../lifecycle/complete.js';
import type { Core } from '../core.js';
import { launchAgain } from '../lifecycle/dispatch.js';
import { killRemains, type Remains } from './kill-remains.js';
import { launchName } from '../lifecycle/launch-spec.js';
import type { LiveTask } from '../live-tasks.js';
import { recordStarted } from '../lifecycle/started.js';
import type { SupervisorLink } from '../../executor/local/supervisor-link.js';

/** What the journal of a dead supervisor tells. */
interface Legacy {
  histories: Map<number, LaunchHistory>;
  /** Something is missing: a launch that is not in it may have begun all the same. */
  damaged: boolean;
}

/** A task whose end nobody saw. */
interface Orphan {
  task: LiveTask;
  history: LaunchHistory | undefined;
}

/**
 * Settles the tasks that a supervisor held when it died: an outcome in its journal counts; a launch that never began is
 * launched again; of anything else what is left is killed, and the task ends as `lost`. After another boot nothing is
 * signalled, and what the journal lacks proves nothing: it is not written with fsync.
 * @throws when something cannot be written down; it can be called again then
 */
export async function settleDead(
  core: Core,
  link: SupervisorLink,
  tasks: readonly LiveTask[],
  bootId: string,
): Promise<void> {
  const sameBoot = link.identity.boot_id === bootId;
  const { histories, damaged } = readLegacy(core, link);
  const orphans: Orphan[] = [];
  const ends: Promise<unknown>[] = [];
  for (const task of tasks) {
    const { launch_id, launch_token, started_at_ms } = task.record;
    const history = histories.get(launch_id ?? -1);
    if (task.dispatching !== undefined || core.unlaunched.has(task)) continue;
    if (task.ending !== undefined) ends.push(task.ending);
    else if (history?.outcome !== undefined && history.token === launch_token)
      ends.push(completeFromOutcome(core, task, history.outcome));
    else if (history === undefined && started_at_ms === null && !damaged && sameBoot) launchAgain(core, task);
    else orphans.push({ task, history });
  }
  if (sameBoot) await killOrphans(core, orphans, bootId);
  for (const { task, history } of orphans) ends.push(endLost(core, task, history));
  await Promise.all(ends);
}

function readLegacy(core: Core, link: SupervisorLink): Legacy {
  const { records, damage } = readWhatIsThere(path.join(link.dir, SUPERVISOR_FILES.journal));
  if (damage !== undefined)
    core.log.error(
      { incarnation: link.incarnation, damage, intact_records: records.length },
      'the journal of a supervisor is damaged: what is intact is used, tasks whose end it does not tell are lost',
    );
  return { histories: summariseJournal(records), damaged: damage !== undefined };
}

/** A supervisor makes its journal before it is recorded: one that is missing or cannot be read was damaged from outside. */
function readWhatIsThere(journal: string): JournalContents {
  try {
    if (fs.existsSync(journal)) return readJournal(journal);
    return { records: [], damage: { line: 1, reason: 'there is no journal' } };
  } catch (error) {
    return { records: [], damage: { line: 1, reason: String(error) } };
  }
}

async function killOrphans(core: Core, orphans: readonly Orphan[], bootId: string): Promise<void> {
  const remains = orphans.map(({ task: { record }, history }): Remains => {
    const known = history?.started ?? record;
    return {
      name: launchName(record.incarnation ?? '', record.launch_id ?? 0),
      token: record.launch_token ?? '',
      leader: { boot_id: bootId, pid: known.pid ?? 0, start_ticks: known.start_ticks ?? 0 },
    };
  });
  const survivors = await killRemains(core.settings.cgroupLayout, remains);
  for (const { task } of orphans) {
    const pids = survivors.get(task.record.launch_token ?? '');
    if (pids !== undefined)
      core.log.error(
        { task_id: task.record.task_id, survivors: pids },
        'processes of a lost task cannot be killed',
      );
  }
}

async function endLost(core: Core, task: LiveTask, history: LaunchHistory | undefined): Promise<void> {
  if (history?.started !== undefined) await recordStarted(core, task, history.started);
  await completeWithout(core, task, LOST);
}
