import {
  shareOf,
  type Changed,
  type EndedTask,
  type LiveRecord,
  type Retry,
  type TaskEnd,
  type WaitingTask,
} from '../../store/records.js';
import type { Outcome } from '../../supervisor/wire/protocol.js';
import type { Verdict } from '../../task/causes.js';
import type { NewEvent, TaskEvent } from '../../task/events.js';
import { canNameDirectory } from '../../task/ids.js';
import type { TerminalStatus } from '../../task/states.js';
import { cancelledWaiting, classify, LOST } from './classify.js';
import type { Core } from '../core.js';
import { crashPoint } from '../../executor/crash-point.js';
import { isDiskFull, messageOf } from '../../files/errno.js';
import { finish, type FinishingCore } from './finish.js';
import { recordWhatWasNotYet, type Before } from './before-end.js';
import type { LiveTask } from '../live-tasks.js';
import { emptyOutSoon } from '../upkeep/remove-tasks.js';
import { notKept, readOutput } from '../output/read-output.js';
import { pastAttempts } from '../views/attempts-view.js';
import { writeResult } from '../files/task-files.js';
import { encodeTask, type EncodedOutput } from '../views/task-view.js';
import { retry } from '../../store/retry.js';
import type { Schedule } from '../schedule.js';
import { groupOf } from '../task-sets.js';
import { sequelOf } from './retry.js';
import type { FileThread } from '../upkeep/file-thread.js';
import type { InlineTexts } from '../output/inline-text.js';

type EndingCore = Core &
  FinishingCore & {
    schedule: Schedule;
    files: FileThread;
    inlineTexts: InlineTexts;
  };

const END_EVENT = { success: 'finished', failed: 'failed', cancelled: 'cancelled' } as const satisfies Record<
  TerminalStatus,
  string
>;

/** An end as the runtime will write it down. */
interface Ending {
  verdict: Verdict;
  finished_at_ms: number;
  duration_ms: number;
  outcome?: Outcome | undefined;
  /** Called when the first try to write it down failed and will be repeated. */
  onDelay?: (() => void) | undefined;
}

/** Writes down how tasks end, and attempts that another follows. */
export class Ends {
  constructor(private readonly core: EndingCore) {}

  /**
   * Commits the end that the supervisor reported: `result.json`, terminal state, release and events; or, where its policy says
   * so, that the task waits for another attempt. Tries again while the disk is full; meanwhile the task stays running.
   * @returns true once an end is committed, this one or an earlier one; false when the store was closed before
   */
  fromOutcome(task: LiveTask, outcome: Outcome): Promise<boolean> {
    // The supervisor was told to kill it, maybe by an earlier daemon that could not write that down.
    if (outcome.first_stop === 'kill') task.stopByKill({});
    else if (outcome.first_stop === 'timeout') task.stopByTimeout();
    return commitEnd(this.core, task, {
      verdict: classify(outcome, task.stop?.first, task.record.plan),
      finished_at_ms: outcome.finished_at_ms,
      duration_ms: outcome.failure === undefined ? outcome.duration_ms : 0,
      outcome,
    });
  }

  /** Commits an end without an outcome: killed while waiting, lost, queue timeout, can never fit. */
  withVerdict(task: LiveTask, verdict: Verdict, onDelay?: () => void): Promise<boolean> {
    return commitVerdict(this.core, task, verdict, onDelay);
  }

  /**
   * Writes down the end of a task that has never been launched, in the transaction of its caller, who has made sure that nobody
   * else ends it.
   * @returns to be called once that is committed
   */
  inTransaction(task: LiveTask, verdict: Verdict): () => void {
    const { core } = this;
    const ending = { verdict, finished_at_ms: core.now(), duration_ms: 0 };
    const before = recordWhatWasNotYet(core, task, undefined, true);
    const {
      events,
      task: ended,
      spoilt = [],
    } = writeEnd(core, before, taskEnd(task.record, ending, NO_OUTPUT, core.now()), NO_OUTPUT);
    return () => {
      forget(core, task, events, ended);
      emptyOutSoon(core, spoilt);
    };
  }
}

function commitVerdict(
  core: EndingCore,
  task: LiveTask,
  verdict: Verdict,
  onDelay?: () => void,
): Promise<boolean> {
  const { live, now } = core;
  const { phase } = task;
  return commitEnd(core, task, {
    verdict,
    finished_at_ms: now(),
    duration_ms: phase.name === 'started' ? Math.round(live.sinceMs(phase.startedAt)) : 0,
    onDelay,
  });
}

const EMPTY_TEXT = Buffer.from('""');
/** Of a task that was never launched. */
const NO_OUTPUT: EncodedOutput = {
  ...{ stdout: EMPTY_TEXT, stderr: EMPTY_TEXT, stdout_bytes: 0, stderr_bytes: 0 },
  ...{ stdout_truncated: false, stderr_truncated: false, problems: [] },
};

/** Of several ends the first counts; the others wait for it. */
function commitEnd(core: EndingCore, task: LiveTask, ending: Ending): Promise<boolean> {
  if (task.ending !== undefined) return task.ending;
  const committed = untilCommitted(core, task, ending);
  task.underWay = { what: 'end', committed };
  return committed;
}

/**
 * Writes down everything that is known, again and again while the disk is full. If something else keeps it from being
 * written, only the end is, without output and without start or timeout.
 */
async function untilCommitted(core: EndingCore, task: LiveTask, ending: Ending): Promise<boolean> {
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
    // The row stays as it is for the next start, but its share of the ledger is released, and those who wait for it go on.
    forget(core, task);
    return false;
  }
}

async function commitWhole(core: EndingCore, task: LiveTask, ending: Ending): Promise<void> {
  const { record } = task;
  const output = await readOutput(core, record, ending.outcome);
  const end = taskEnd(record, ending, output, core.now());
  const sequel = isOfAttempt(ending) ? sequelOf(core, record, end, startOf(record, ending.outcome)) : {};
  if (sequel.problem !== undefined) end.warnings = [...(end.warnings ?? []), sequel.problem];
  let retried: Changed<WaitingTask> | undefined;
  const {
    events,
    task: ended,
    spoilt = [],
  } = await core.store.commits.write(() => {
    const before = recordWhatWasNotYet(core, task, ending.outcome, sequel.retry === undefined);
    retried = markRetry(core, task, before.task, sequel.retry);
    const written: WrittenEnd =
      retried === undefined
        ? writeEnd(core, before, end, output)
        : { events: [...before.events, ...retried.events] };
    task.endIsWritten();
    return written;
  });
  if (retried !== undefined) {
    crashPoint('after_retry_commit');
    goBack(core, task, retried.task, events);
    return;
  }
  crashPoint('after_end_commit');
  forget(core, task, events, ended);
  emptyOutSoon(core, spoilt);
}

/** What an end has come to in its transaction. */
type WrittenEnd = Partial<ResultCopy> & { events: TaskEvent[] };

/** In the transaction of its caller. */
function writeEnd(core: EndingCore, before: Before, end: TaskEnd, output: EncodedOutput): WrittenEnd {
  const ended = finish(core, before.task, end, before.start);
  if (ended === undefined) return { events: [] };
  crashPoint('before_result_written');
  const copied = writeResultCopy(core, ended.task, output);
  crashPoint('after_result_written');
  return { events: [...before.events, ...ended.events], ...copied };
}

/** False for an end of a task that could not run at all: what this daemon refuses to run it refuses again. */
function isOfAttempt({ verdict, outcome }: Ending): boolean {
  return outcome !== undefined || verdict === LOST;
}

function startOf(record: LiveRecord, outcome: Outcome | undefined): number | undefined {
  return outcome?.started_at_ms ?? (record.status === 'running' ? record.process?.started_at_ms : undefined);
}

/** In the transaction of its caller: until then a kill forbids another attempt. */
function markRetry(
  core: EndingCore,
  task: LiveTask,
  record: LiveRecord,
  retry: Retry | undefined,
): Changed<WaitingTask> | undefined {
  if (retry === undefined || task.kill !== undefined || record.status !== 'running') return undefined;
  const retried = core.store.changes.retry(record, retry);
  // A daemon that is killed before it saves the clock at its next turn must not forget what of the back-off has passed.
  if (retried !== undefined) core.store.kept.saveClock();
  crashPoint('before_retry_commit');
  return retried;
}

/** Gives its share of the ledger back, and lets the task wait for its next attempt. */
function goBack(core: EndingCore, task: LiveTask, record: WaitingTask, events: TaskEvent[]): void {
  core.schedule.release(task);
  core.live.update(task, record);
  task.forgetAttempt();
  task.underWay = undefined;
  core.announcer.events(events);
  // The kill came while this was being committed.
  if (task.kill !== undefined) void commitVerdict(core, task, cancelledWaiting(record));
  else core.announcer.retried(record.task_id);
}

async function commitBare(core: EndingCore, task: LiveTask, ending: Ending): Promise<void> {
  const { record } = task;
  const { stdout, stderr } = ending.outcome ?? { stdout: { bytes: 0 }, stderr: { bytes: 0 } };
  const produced = { stdout_bytes: stdout.bytes, stderr_bytes: stderr.bytes };
  const end = taskEnd(record, ending, produced, core.now());
  const events = await core.store.commits.write(() => finish(core, task.record, end)?.events ?? []);
  forget(core, task, events);
}

/** Releases its share of the ledger, and tells those who wait for its end. */
function forget(core: EndingCore, task: LiveTask, events: TaskEvent[] = [], ended?: EndedTask): void {
  const { task_id } = task.record;
  core.schedule.release(task);
  core.schedule.leaveSession(task);
  core.live.remove(task);
  core.announcer.events(events);
  core.announcer.ended(task_id, ended);
  const group = groupOf(task.record.request);
  if (group !== undefined) core.announcer.memberEnded(group, task);
}

interface ResultCopy {
  /** The task as its row is now. */
  task?: EndedTask;
  /** Names of what was in the place of the copy and is now in the trash. */
  spoilt: string[];
}

/**
 * `result.json` is a copy of the row: what the task did to its directory must not keep it from ending.
 * @throws a system error for a full disk, for which the caller tries again
 */
function writeResultCopy(core: EndingCore, task: EndedTask, output: EncodedOutput): ResultCopy {
  const { task_id, warnings } = task;
  const { dataDir } = core.settings;
  if (!canNameDirectory(task_id)) return { task, spoilt: [] };
  try {
    const past = pastAttempts(core.store, task);
    const json = encodeTask(task, output, core.now(), dataDir, { pretty: true, past });
    return { task, spoilt: writeResult(dataDir, task_id, json) };
  } catch (error) {
    if (isDiskFull(error)) throw error;
    core.log.warn({ err: error, task_id }, 'result.json of a task cannot be written');
    const all = [...warnings, `result.json cannot be written: ${messageOf(error)}`];
    core.store.changes.warn(task_id, all);
    return { task: { ...task, warnings: all }, spoilt: [] };
  }
}

function taskEnd(
  record: LiveRecord,
  { verdict, outcome, ...times }: Ending,
  produced: Pick<EncodedOutput, 'stdout_bytes' | 'stderr_bytes'>,
  now: number,
): TaskEnd {
  const held = record.status === 'running' && record.reserved_at_ms !== undefined;
  const lost = notKept(outcome);
  const events: NewEvent[] = [];
  if (held)
    events.push({
      event_type: 'resource_released',
      timestamp_ms: now,
      data: shareOf(record),
    });
  events.push({
    event_type: END_EVENT[verdict.status],
    timestamp_ms: now,
    message: verdict.error?.message,
    data: {
      cause: verdict.cause,
      exit_code: outcome?.exit_code,
      exit_signal: outcome?.signal,
      survivors: outcome?.survivors,
    },
  });
  return {
    ...verdict,
    finished_at_ms: times.finished_at_ms,
    duration_ms: times.duration_ms,
    started_at_ms: outcome?.started_at_ms,
    pid: outcome?.pid,
    exit_code: outcome?.exit_code,
    exit_signal: outcome?.signal,
    usage: outcome === undefined ? undefined : { duration_ms: times.duration_ms, ...outcome.usage },
    stdout_bytes: produced.stdout_bytes,
    stderr_bytes: produced.stderr_bytes,
    warnings: lost.length > 0 ? lost : undefined,
    released_at_ms: held ? now : undefined,
    events,
  };
}
