import type { Outcome } from '../../supervisor/wire/protocol.js';
import { endOf, type TaskRecord } from '../../store/records.js';
import type { Core } from '../core.js';
import type { InlineText, InlineTexts } from './inline-text.js';
import type { OutputSource } from './source.js';
import type { OutputStream } from '../../task/output.js';
import type { EncodedOutput } from '../views/task-view.js';

/** Finds a stream of a task. @param totalBytes what the task wrote in all, once that is final */
export function outputSource(
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
    maxBytes: stream === 'stdout' ? limits.stdout_max_bytes : limits.stderr_max_bytes,
    final,
    totalBytes: totalBytes ?? recorded,
    warnings: ended?.warnings.filter((warning) => warning.startsWith(`${stream}: `)),
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
