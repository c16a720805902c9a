import { ExecgoTimeoutError, type ExecgoClient, type OutputEvent } from '../client/index.js';
import type { OutputStream, TaskEnd } from '../client/index.js';
import { MAX_TIMER_MS } from './units.js';
import { note, ReaderGone, write } from './write.js';

export interface StreamOptions {
  stream?: OutputStream | 'both' | undefined;
  /** The attempt to begin with; the last one without it. */
  attempt?: number | undefined;
  offset?: number | undefined;
  /** Stop after this many milliseconds. */
  timeoutMs?: number | undefined;
  /**
   * Called when the reader of our output has closed it; the task's end is then awaited without output. Without this function
   * the error is thrown.
   */
  onReaderGone?: ((error: ReaderGone) => void) | undefined;
}

/**
 * Writes a task's output to our own standard output and error as it is written, byte for byte, until the task has ended.
 * @throws ExecgoTimeoutError, ReaderGone; errors of the client
 */
export async function streamOutput(
  client: ExecgoClient,
  taskId: string,
  options: StreamOptions = {},
): Promise<TaskEnd> {
  const { stream, attempt, offset, timeoutMs, onReaderGone } = options;
  const expiry = new AbortController();
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(
          () => {
            expiry.abort(new ExecgoTimeoutError(taskId, timeoutMs));
          },
          Math.min(timeoutMs, MAX_TIMER_MS),
        );
  const gone = new Set<OutputStream>();
  try {
    for await (const event of client.followOutput(taskId, {
      stream,
      attempt,
      offset,
      signal: expiry.signal,
    })) {
      if (event.type === 'end') return event.end;
      if (event.type === 'attempt') {
        await note(`attempt ${String(event.attempt)} begins`);
        continue;
      }
      if (gone.has(event.stream)) continue;
      try {
        await show(event);
      } catch (error) {
        if (!(error instanceof ReaderGone) || onReaderGone === undefined) throw error;
        gone.add(event.stream);
        onReaderGone(error);
      }
    }
  } finally {
    clearTimeout(timer);
  }
  throw new Error(`the output of task ${taskId} ended without telling how the task did`);
}

async function show(event: Extract<OutputEvent, { stream: OutputStream }>): Promise<void> {
  if (event.type === 'data')
    await write(event.stream === 'stdout' ? process.stdout : process.stderr, event.data);
  else await noteOmitted(event.stream, event.to - event.from);
}

/** Says on standard error that bytes are missing at this point of the output. */
export function noteOmitted(stream: OutputStream, bytes: number): Promise<void> {
  return note(`${stream}: ${String(bytes)} bytes were not kept and are left out here`);
}
