import type { Outcome } from '../../supervisor/wire/protocol.js';
import { endOf, shownAttempt, type TaskRecord } from '../../store/records.js';
import { ExecgoError } from '../../task/errors.js';
import { isTerminal } from '../../task/states.js';
import type { Core } from '../core.js';
import type { InlineText, InlineTexts } from './inline-text.js';
import type { OutputSource } from './source.js';
import type { OutputStream } from '../../task/output.js';
import type { EncodedOutput } from '../views/task-view.js';

/**
 * Finds a stream of the attempt that a task is at, or was at last.
 * @param totalBytes what the attempt wrote in all, once that is final
 */
function outputSource(
  dataDir: string,
  record: TaskRecord,
  stream: OutputStream,
  final: boolean,
  totalBytes?: number,
): OutputSource {
  const { limits } = record.request;
  const ended = endOf(record);
  const recorded = stream === 'stdout' ? ended?.stdout_bytes : ended?.stderr_bytes;
  return {
    dataDir,
    taskId: record.task_id,
    stream,
    attempt: shownAttempt(record),
    maxBytes: stream === 'stdout' ? limits.stdout_max_bytes : limits.stderr_max_bytes,
    final,
    totalBytes: totalBytes ?? recorded,
    warnings: ended?.warnings.filter((warning) => warning.startsWith(`${stream}: `)),
  };
}

/**
 * Finds a stream of a task.
 * @param attempt undefined: as {@link shownAttempt}, of which more may follow until the task is terminal
 * @throws ExecgoError `not_found` for an attempt that there is not
 */
export function sourceOf(
  { settings: { dataDir }, store }: Pick<Core, 'settings' | 'store'>,
  record: TaskRecord,
  stream: OutputStream,
  attempt: number | undefined,
): OutputSource {
  const last = shownAttempt(record);
  const source = outputSource(dataDir, record, stream, isTerminal(record.status));
  if (attempt === undefined || attempt > record.past_attempts) {
    if (attempt === undefined || attempt === last) return source;
    throw new ExecgoError(
      'not_found',
      `task ${record.task_id} has no attempt ${attempt}: the last one is number ${last}`,
      { attempt: last },
    );
  }
  const past = store.attempts.one(record.task_id, attempt);
  return {
    ...source,
    attempt,
    final: true,
    totalBytes: stream === 'stdout' ? past?.stdout_bytes : past?.stderr_bytes,
    warnings: past?.warnings.filter((warning) => warning.startsWith(`${stream}: `)),
  };
}

/**
 * Both streams as a status shows them.
 * @param outcome of a task whose end is about to be committed
 */
export async function readOutput(
  core: Pick<Core, 'settings'> & { inlineTexts: InlineTexts },
  record: TaskRecord,
  outcome: Outcome | undefined,
  final = outcome !== undefined,
): Promise<EncodedOutput> {
  const { dataDir } = core.settings;
  const [stdout, stderr] = await Promise.all([
    core.inlineTexts.read(outputSource(dataDir, record, 'stdout', final, outcome?.stdout.bytes)),
    core.inlineTexts.read(outputSource(dataDir, record, 'stderr', final, outcome?.stderr.bytes)),
  ]);
  return {
    stdout: stdout.text,
    stderr: stderr.text,
    stdout_tail: stdout.tail,
    stderr_tail: stderr.tail,
    stdout_bytes: stdout.total_bytes,
    stderr_bytes: stderr.total_bytes,
    stdout_omitted_bytes: positive(stdout.omitted_bytes),
    stderr_omitted_bytes: positive(stderr.omitted_bytes),
    stdout_truncated: stdout.truncated,
    stderr_truncated: stderr.truncated,
    problems: [...notKept(outcome), ...problem('stdout', stdout), ...problem('stderr', stderr)],
  };
}

/** Undefined for 0, so that the field is left out. */
function positive(count: number): number | undefined {
  return count > 0 ? count : undefined;
}

/** In words, which output the supervisor could not keep. */
export function notKept(outcome: Outcome | undefined): string[] {
  return (['stdout', 'stderr'] as const).flatMap((stream) => {
    const { bytes, kept_bytes, error } = outcome?.[stream] ?? { bytes: 0, kept_bytes: 0 };
    return error === undefined ? [] : [`${stream}: ${kept_bytes} of ${bytes} bytes are kept: ${error}`];
  });
}

function problem(stream: OutputStream, read: InlineText): string[] {
  return read.problem === undefined ? [] : [`${stream} cannot be read: ${read.problem}`];
}
