import type { ErrorBody } from '../task/errors.js';
import { ExecgoApiError } from './errors.js';
import { follow, type FollowOptions } from './follow.js';
import type { HttpTransport } from './http.js';
import type { OutputEvent, OutputStream, TaskEnd } from './types.js';

/** The stream had begun as a success, so that the error has no HTTP status of its own. */
const ERROR_WITHIN_STREAM_STATUS = 500;

/** Turns the daemon's output stream into {@link OutputEvent}s. Returns after `end`; events of other names are skipped. */
export async function* followOutput(
  http: HttpTransport,
  options: FollowOptions,
): AsyncGenerator<OutputEvent> {
  for await (const { event, data } of follow(http, options)) {
    if (event === 'stdout' || event === 'stderr') {
      const chunk = JSON.parse(data) as { offset: number; data: string };
      yield { type: 'data', stream: event, offset: chunk.offset, data: Buffer.from(chunk.data, 'base64') };
    } else if (event === 'omitted') {
      yield { type: 'omitted', ...(JSON.parse(data) as { stream: OutputStream; from: number; to: number }) };
    } else if (event === 'end') {
      yield { type: 'end', end: JSON.parse(data) as TaskEnd };
      return;
    } else if (event === 'error') {
      const { error } = JSON.parse(data) as { error: ErrorBody };
      throw new ExecgoApiError(error.code, error.message, ERROR_WITHIN_STREAM_STATUS, error.details);
    }
  }
}
