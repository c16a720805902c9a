import type { Outcome } from '../supervisor/protocol.js';
import type { TaskRecord } from '../store/records.js';
import type { Core } from './core.js';
import type { OutputSource } from './output/source.js';
import type { OutputStream } from './service.js';
import { tailPath } from './task-files.js';
import type { EncodedOutput } from './task-view.js';

/** Where a stream of a task is. @param totalBytes what the task wrote, once that is final */
export function outputSource(
  record: TaskRecord,
  stream: OutputStream,
  final: boolean,
  totalBytes?: number,
): OutputSource {
  const path = stream === 'stdout' ? record.stdout_path : record.stderr_path;
  const { limits } = record.request;
  const recorded = stream === 'stdout' ? record.stdout_bytes : record.stderr_bytes;
  return {
    path,
    tailPath: tailPath(path),
    maxBytes: stream === 'stdout' ? limits.stdout_max_bytes : limits.stderr_max_bytes,
    final,
    totalBytes: totalBytes ?? recorded ?? undefined,
  };
}

/**
 * Both streams as a status shows them.
 * @param outcome of a task whose end is about to be committed
 * @throws a system error when a log that exists cannot be read
 */
export async function readOutput(
  core: Pick<Core, 'inlineTexts'>,
  record: TaskRecord,
  outcome: Outcome | undefined,
  final = outcome !== undefined,
): Promise<EncodedOutput> {
  const [stdout, stderr] = await Promise.all([
    core.inlineTexts.read(outputSource(record, 'stdout', final, outcome?.stdout.bytes)),
    core.inlineTexts.read(outputSource(record, 'stderr', final, outcome?.stderr.bytes)),
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
  };
}

/** Absent where there is nothing to tell. */
function positive(count: number): number | undefined {
  return count > 0 ? count : undefined;
}
