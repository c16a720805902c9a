import type { EndsFrom, TaskEnd, TaskRecord } from '../../store/records.js';
import type { Outcome } from '../../supervisor/wire/protocol.js';
import type { NewEvent, TaskEvent } from '../../task/events.js';
import { canNameDirectory } from '../../task/ids.js';
import type { TerminalStatus } from '../../task/states.js';
import { classify, type Classification } from './classify.js';
import type { Core } from '../core.js';
import { crashPoint } from '../../executor/crash-point.js';
import { isDiskFull } from '../../files/errno.js';
import { killEvent } from './kill-event.js';
import type { LiveTask } from '../live-tasks.js';
import { emptyOutSoon } from '../upkeep/remove-tasks.js';
import { notKept, readOutput } from '../output/read-output.js';
import { killIsRecorded, startedEvent } from './started.js';
import { writeResult } from '../files/task-files.js';
import { encodeTask, type EncodedOutput } from '../views/task-view.js';
import { retry } from '../../store/retry.js';

const END_EVENT = { success: 'finished', failed: 'failed', cancelled: 'cancelled' } as const satisfies Record<
  TerminalStatus,
  string
>;

/** An end as the runtime decided it. */
interface Ending {
  classification: Classification;
  finished_at_ms: number;
  duration_ms: number;
  outcome?: Outcome | undefined;
  /** Called when the first try to write it down failed, and it will be tried again. */
  onDelay?: (() => void) | undefined;
}

/**
 * Commits the end that the supervisor saw: `result.json`, terminal state, release and events. Tries again while the
 * disk is full; meanwhile the task stays running.
 * @returns true once an end is committed, this one or another that was first; false when the store was closed before
 */
export function completeFromOutcome(core: Core, task: LiveTask, outcome: Outcome): Promise<boolean> {
  task.firstStop ??= outcome.first_stop;
  // A supervisor kills what it is told to, also by a daemon that could not write it down any more.
  if (outcome.first_stop === 'kill') task.kill ??= {};
  return commitEnd(core, task, {
    classification: classify(outcome, task.firstStop, task.record.plan),
    finished_at_ms: outcome.finished_at_ms,
    duration_ms: outcome.failure === undefined ? outcome.duration_ms : 0,
    outcome,
  });
}

/** Commits an end that nobody saw or that needed no process: killed while waiting, lost, queue timeout, can never fit. */
export function completeWithout(
  core: Core,
  task: LiveTask,
  classification: Classification,
  onDelay?: () => void,
): Promise<boolean> {
  const { startedAt } = task;
  return commitEnd(core, task, {
    classification,
    finished_at_ms: core.now(),
    duration_ms: startedAt === undefined ? 0 : Math.round(core.steady() - startedAt),
    onDelay,
  });
}

/** Of several ends the first counts; the others wait for it. */
function commitEnd(core: Core, task: LiveTask, ending: Ending): Promise<boolean> {
  task.ending ??= untilCommitted(core, task, ending);
  return task.ending;
}

/**
 * What is known is written down, and tried again while the disk is full. When something else is in the way, the end alone
 * is written, without the output and what was not told before.
 */
async function untilCommitted(core: Core, task: LiveTask, ending: Ending): Promise<boolean> {
  const { task_id } = task.record;
  const { onDelay } = ending;
  const lasts = () => !core.store.commits.closed;
  const attempt = (what: string, commit: () => Promise<void>) =>
    retry(commit, { log: core.log, what, about: { task_id }, lasts, onDelay }).then(() => true);
  try {
    return await attempt('cannot write down how a task ended', () => commitWhole(core, task, ending)).catch(
      (error: unknown) => {
        if (!lasts()) throw error;
        onDelay?.();
        return attempt('cannot write down that a task ended', () => commitBare(core, task, ending));
      },
    );
  } catch {
    if (!lasts()) return false;
    // The row stays as it is, for the next start; its share and who waits for it do not.
    forget(core, task);
    return false;
  }
}

async function commitWhole(core: Core, task: LiveTask, ending: Ending): Promise<void> {
  const { record } = task;
  const output = await readOutput(core, record, ending.outcome);
  const end = taskEnd(record, ending, output, core.now());
  const { dataDir } = core.settings;
  const result = encodeTask(recordAfter(task, end), output, core.now(), dataDir, { pretty: true });
  let spoilt: string[] = [];
  const events = await core.store.commits.write(() => {
    const before = recordWhatWasNotYet(core, task, ending.outcome);
    const written = core.store.finish(record.task_id, endsFrom(record), end);
    if (written === undefined) return [];
    crashPoint('before_result_written');
    spoilt = writeResultCopy(core, record, end, result);
    crashPoint('after_result_written');
    return [...before, ...written];
  });
  crashPoint('after_end_commit');
  forget(core, task, events);
  emptyOutSoon(core, spoilt);
}

async function commitBare(core: Core, task: LiveTask, ending: Ending): Promise<void> {
  const { record } = task;
  const { stdout, stderr } = ending.outcome ?? { stdout: { bytes: 0 }, stderr: { bytes: 0 } };
  const produced = { stdout_bytes: stdout.bytes, stderr_bytes: stderr.bytes };
  const end = taskEnd(record, ending, produced, core.now());
  const events = await core.store.commits.write(
    () => core.store.finish(record.task_id, endsFrom(record), end) ?? [],
  );
  forget(core, task, events);
}

function endsFrom({ status, launch_id }: TaskRecord): EndsFrom {
  return status === 'accepted' ? { status } : { status: 'running', launch_id };
}

/** Its share is free, and who waits for its end goes on. */
function forget(core: Core, task: LiveTask, events: TaskEvent[] = []): void {
  const { task_id } = task.record;
  task.cancelQueueTimeout?.();
  core.ledger.release(task_id);
  core.waiting.remove(task_id);
  core.unlaunched.delete(task);
  core.unmatched.delete(task_id);
  core.live.remove(task);
  core.announcer.events(events);
  core.announcer.ended(task_id);
}

/**
 * `result.json` is a copy of the row: what the task did to its directory must not keep it from ending.
 * @returns names of what is in the trash in its stead
 * @throws a system error of a full disk, which is waited for
 */
function writeResultCopy(
  core: Core,
  { task_id }: TaskRecord,
  end: TaskEnd,
  result: readonly Buffer[],
): string[] {
  if (!canNameDirectory(task_id)) return [];
  try {
    return writeResult(core.settings.dataDir, task_id, result);
  } catch (error) {
    if (isDiskFull(error)) throw error;
    core.log.warn({ err: error, task_id }, 'result.json of a task cannot be written');
    const reason = error instanceof Error ? error.message : String(error);
    core.store.setWarnings(task_id, [...(end.warnings ?? []), `result.json cannot be written: ${reason}`]);
    return [];
  }
}

/** What was never told, or could not be written when it was: the guards of the store see to it that it is once only. */
function recordWhatWasNotYet(core: Core, task: LiveTask, outcome: Outcome | undefined): TaskEvent[] {
  const { task_id, launch_id, status, started_at_ms } = task.record;
  const events: TaskEvent[] = [];
  const add = (written: TaskEvent[] | undefined) => {
    events.push(...(written ?? []));
  };
  if (
    started_at_ms === null &&
    launch_id !== null &&
    outcome?.started_at_ms !== undefined &&
    outcome.pid !== undefined
  ) {
    const running = { pid: outcome.pid, start_ticks: 0, started_at_ms: outcome.started_at_ms };
    const start = startedEvent(running);
    if (killIsRecorded(core, task)) start.events = [];
    add(core.store.markStarted(task_id, launch_id, start));
  }
  if (task.kill !== undefined && (status === 'accepted' || status === 'running'))
    add(core.store.markKillRequested(task_id, status, core.now(), [killEvent(core.now())]));
  if (task.firstStop === 'timeout' && launch_id !== null && outcome !== undefined) {
    const at = outcome.timeout_at_ms ?? outcome.finished_at_ms;
    add(
      core.store.markTimeout(task_id, launch_id, at, [{ event_type: 'timeout_triggered', timestamp_ms: at }]),
    );
  }
  return events;
}

function taskEnd(
  record: TaskRecord,
  { classification, outcome, ...times }: Ending,
  produced: Pick<EncodedOutput, 'stdout_bytes' | 'stderr_bytes'>,
  now: number,
): TaskEnd {
  const held = record.reserved_at_ms !== null && record.released_at_ms === null;
  const lost = notKept(outcome);
  const events: NewEvent[] = [];
  if (held)
    events.push({
      event_type: 'resource_released',
      timestamp_ms: now,
      data: record.reservation ?? { task_slots: 1 },
    });
  events.push({
    event_type: END_EVENT[classification.status],
    timestamp_ms: now,
    message: classification.error?.message,
    data: {
      cause: classification.cause,
      exit_code: outcome?.exit_code,
      exit_signal: outcome?.signal,
      survivors: outcome?.survivors,
    },
  });
  return {
    status: classification.status,
    cause: classification.cause,
    finished_at_ms: times.finished_at_ms,
    duration_ms: times.duration_ms,
    started_at_ms: outcome?.started_at_ms,
    pid: outcome?.pid,
    exit_code: outcome?.exit_code,
    exit_signal: outcome?.signal,
    error: classification.error,
    usage: outcome === undefined ? undefined : { duration_ms: times.duration_ms, ...outcome.usage },
    stdout_bytes: produced.stdout_bytes,
    stderr_bytes: produced.stderr_bytes,
    warnings: lost.length > 0 ? lost : undefined,
    released_at_ms: held ? now : undefined,
    events,
  };
}

/** The record as it will be read back once `end` is committed. */
function recordAfter({ record, kill, firstStop }: LiveTask, end: TaskEnd): TaskRecord {
  return {
    ...record,
    status: end.status,
    cause: end.cause,
    updated_at_ms: end.finished_at_ms,
    started_at_ms: record.started_at_ms ?? end.started_at_ms ?? null,
    finished_at_ms: end.finished_at_ms,
    duration_ms: end.duration_ms,
    pid: record.pid ?? end.pid ?? null,
    pgid: record.pgid ?? end.pid ?? null,
    exit_code: end.exit_code ?? null,
    exit_signal: end.exit_signal ?? null,
    error: end.error ?? null,
    usage: end.usage ?? null,
    stdout_bytes: end.stdout_bytes,
    stderr_bytes: end.stderr_bytes,
    warnings: end.warnings ?? null,
    kill_requested: record.kill_requested || kill !== undefined,
    timeout_triggered: record.timeout_triggered || firstStop === 'timeout',
    released_at_ms: end.released_at_ms ?? record.released_at_ms,
  };
}
