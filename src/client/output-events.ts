import type { OutputAttempt, OutputChunk, OutputGap, TaskEnd } from '../task/output.js';
import type { ErrorAnswer } from '../task/error-body.js';
import { ExecgoApiError } from './errors.js';
import { follow, type FollowOptions } from './follow.js';
import type { HttpTransport } from './http.js';
import type { OutputEvent } from './types.js';

/** The stream had begun as a success, so that the error has no HTTP status of its own. */
const ERROR_WITHIN_STREAM_STATUS = 500;

/** Turns the daemon's output stream into {@link OutputEvent}s. Returns after `end`; events of other names are skipped. */
export async function* followOutput(
  http: HttpTransport,
  options: FollowOptions,
): AsyncGenerator<OutputEvent> {
  for await (const { event, data } of follow(http, options)) {
    if (event === 'stdout' || event === 'stderr') {
      const chunk = JSON.parse(data) as OutputChunk;
      yield { type: 'data', stream: event, offset: chunk.offset, data: Buffer.from(chunk.data, 'base64') };
    } else if (event === 'omitted') {
      yield { type: 'omitted', ...(JSON.parse(data) as OutputGap) };
    } else if (event === 'attempt') {
      yield { type: 'attempt', ...(JSON.parse(data) as OutputAttempt) };
    } else if (event === 'end') {
      yield { type: 'end', end: JSON.parse(data) as TaskEnd };
      return;
    } else if (event === 'error') {
      const { error } = JSON.parse(data) as ErrorAnswer;
      throw new ExecgoApiError(error.code, error.message, ERROR_WITHIN_STREAM_STATUS, error.details);
    }
  }
}
